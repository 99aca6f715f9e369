// The rule for parameters of all database URLs: parameters of the server's protocol are applied by the reader
// of the check type, those of drivers and pools are ignored, and any other is an error. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace probegate::checks {

// Lower case, sorted: docs/addresses.md lists them.
std::span<const std::string_view> ignored_parameters();
bool is_ignored_parameter(std::string_view name);  // case, "_" and "-" are ignored

// Normalizes a name: "connectTimeout", "connect-timeout" and "connect_timeout" become "connecttimeout".
std::string plain_name(std::string_view name);

// Parses true, yes, on, 1, and false, no, off, 0; empty for any other word.
std::optional<bool> as_boolean(std::string_view value);

// Errors about the parameters of one URL, in order. An error shows a name only if no secret precedes it: with
// an "&" in a password, the rest of the password would be a name.
class ParameterErrors {
 public:
  void secret_seen() { secret_seen_ = true; }
  // "the parameter NAME is not known; ..."
  std::string unknown(std::string_view name) const;
  // "the parameter NAME WHAT"
  std::string wrong(std::string_view name, std::string_view what) const;

 private:
  bool secret_seen_ = false;
};

}  // namespace probegate::checks
