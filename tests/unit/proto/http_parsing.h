// Shared by the parser's tests: every case is read whole and in small slices, and must read the same.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "http_outcome.h"

namespace probegate::proto {

inline HttpOutcome parse(HttpParser::Role role, std::string_view bytes, HttpLimits limits = {},
                         std::string_view request_method = "GET") {
  const auto sliced = [&](std::size_t slice) {
    return parse_http(
        role, bytes, [slice](std::size_t) { return slice; }, limits, request_method);
  };
  HttpOutcome whole = sliced(bytes.size());
  for (const std::size_t slice : {1u, 2u, 3u, 17u}) {
    INFO("in slices of " << slice);
    CHECK(difference(whole, sliced(slice)) == "");
  }
  return whole;
}

inline HttpOutcome parse_request(std::string_view bytes, HttpLimits limits = {}) {
  return parse(HttpParser::Role::request, bytes, limits);
}

inline HttpOutcome parse_response(std::string_view bytes, std::string_view request_method = "GET",
                                  HttpLimits limits = {}) {
  return parse(HttpParser::Role::response, bytes, limits, request_method);
}

}  // namespace probegate::proto
