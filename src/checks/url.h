// The parts of scheme://user:password@host:port/path?query. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/result.h"

namespace probegate::checks {

struct Url {
  std::string scheme;                   // lower case
  std::optional<std::string> user;      // decoded
  std::optional<std::string> password;  // decoded
  std::string raw_password;             // as written
  std::string host;                     // IPv6 without brackets
  std::optional<std::uint16_t> port;
  std::string target;  // path and query, at least "/"; no fragment

  Endpoint endpoint(std::uint16_t default_port) const {
    return Endpoint::tcp(host, port.value_or(default_port));
  }
  std::string authority() const;  // for Host: the port only where it was written
};

// Nothing where a % is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);

// The error never repeats the text: it may hold a password.
Result<Url> parse_url(std::string_view text);

}  // namespace probegate::checks
