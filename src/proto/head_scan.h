// The byte-level rules of a head (RFC 9112 sections 2 to 5), applied before any other parsing: every
// byte sequence has one meaning or is refused. llhttp alone accepts about two dozen sequences that
// parsers interpret differently.
//
// Called from: http_parser only.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proto/http_message.h"

namespace probegate::proto {

bool is_token(std::string_view text);  // RFC 9110 section 5.6.2; not empty
bool is_token_char(char c);
bool is_host(std::string_view text);  // uri-host [ ":" port ] of RFC 9110 section 7.2, not empty

// Collects a block of lines that ends with an empty line: a head or a trailer section. Reads each byte once,
// however the input is split. Invariant: every LF in the block follows a CR.
class LineBlock {
 public:
  enum class Result {
    more,
    complete,  // the block ends with the empty line
    bare_lf,
    full,  // `limit` bytes were taken without an end
  };
  Result take(std::span<const char>& input, std::size_t limit);

  const std::string& bytes() const { return bytes_; }
  std::string_view first_line() const {
    return {bytes_.data(), first_line_};
  }  // with CRLF; empty while incomplete
  bool empty() const { return bytes_.empty(); }
  void clear();

 private:
  std::string bytes_;
  std::size_t line_ = 0;  // bytes of the current line
  std::size_t first_line_ = 0;
};

// Each parses one line with its CRLF, and sets only the fields it reads and `plain`.
std::optional<HttpError> scan_request_line(std::string_view line, RequestHead& head);
std::optional<HttpError> scan_status_line(std::string_view line, ResponseHead& head);
// The lines after the start line, up to and including the empty one. `blank_before_colon` is set if there is
// one; null: it is an error, as RFC 9112 section 5.1 requires for requests.
std::optional<HttpError> scan_fields(std::string_view lines, std::size_t most, HeaderFields& fields,
                                     bool* blank_before_colon = nullptr);

}  // namespace probegate::proto
