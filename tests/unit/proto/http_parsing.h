// Shared by the parser's tests: every case is read whole, in small slices, and by a parser that has served
// before, and must read the same.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "http_outcome.h"

namespace probegate::proto {

inline HttpOutcome parse(HttpParser::Role role, std::string_view bytes, HttpLimits limits = {},
                         std::string_view request_method = "GET") {
  const MessageOptions options{.to_head = request_method == "HEAD"};
  const auto sliced = [&](std::size_t slice) {
    return parse_http(
        role, bytes, [slice](std::size_t) { return slice; }, limits, options);
  };
  HttpOutcome whole = sliced(bytes.size());
  for (const std::size_t slice : {1u, 2u, 3u, 17u}) {
    INFO("in slices of " << slice);
    CHECK(difference(whole, sliced(slice)) == "");
  }
  HttpParser used(role, HttpLimits{.fields = 1, .trailer_bytes = 1});
  for (const std::string_view before : {"", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 200",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    const auto at_once = [](std::size_t) { return std::string_view::npos; };
    used.renew(limits);
    CHECK(difference(whole, parse_http(used, role, bytes, at_once, options)) == "");
    used.renew(limits);
    parse_http(used, role, before, at_once, {.to_head = true});
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
