// What HttpParser makes of a byte sequence, as one comparable value, however the sequence was sliced.
//
// Called from: the unit tests of the parser and its fuzz targets.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http_parser.h"

namespace probegate::proto {

struct HttpMessage {
  std::string head;     // everything that request() or response() said, as text
  std::string payload;  // without chunk framing
  std::string raw;      // with it
  bool done = false;
  bool operator==(const HttpMessage&) const = default;
};

struct HttpOutcome {
  std::vector<HttpMessage> messages;
  bool refused = false;
  int status = 0;  // of the refusal
  std::string detail;
  std::string rest;  // not consumed: after a 101 only
  std::string wire;  // heads and raw pieces in order: all that a relay would have seen

  std::string text() const;  // for a failed assertion
};

// `size(i)` is how many bytes the i-th call of feed() gets at most; each slice is a heap block of its own, so
// that a sanitizer sees a read beyond it.
HttpOutcome parse_http(HttpParser& parser, HttpParser::Role role, std::string_view bytes,
                       const std::function<std::size_t(std::size_t)>& size, MessageOptions options = {});
// The same with a parser of its own.
HttpOutcome parse_http(HttpParser::Role role, std::string_view bytes,
                       const std::function<std::size_t(std::size_t)>& size, HttpLimits limits = {},
                       MessageOptions options = {});

// Empty when both tell the same; otherwise what differs. A refused message may have got further in smaller
// slices.
std::string difference(const HttpOutcome& a, const HttpOutcome& b);

std::string describe(const RequestHead& head);
std::string describe(const ResponseHead& head);

}  // namespace probegate::proto
