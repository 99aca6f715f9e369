// One rule for the parameters of every database's URL: what the server's protocol knows is obeyed by the
// type's own reader, what only a driver or a pool knows is ignored, and the rest is an error that names it.
// Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace probegate::checks {

// Lower case, sorted: docs/addresses.md lists them.
std::span<const std::string_view> ignored_parameters();
bool is_ignored_parameter(std::string_view name);  // letters' case, "_" and "-" are ignored

// "connectTimeout", "connect-timeout" and "connect_timeout" are one name: "connecttimeout".
std::string plain_name(std::string_view name);

// true, yes, on, 1; false, no, off, 0; nothing for another word.
std::optional<bool> as_boolean(std::string_view value);

// Goes through the parameters of one URL in order. A name is told in an error only while no secret came
// before it: an "&" in a password makes the rest of the password a name.
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
