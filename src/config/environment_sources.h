// The ways in which environments give the address of a database or of Redis: one variable, the parts, a file.
// Private to config/.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/environment.h"

namespace probegate::config {

// A key of the check, and the variable its value is taken from.
struct SourceKey {
  std::string key;    // "url", "url_file", "host"
  std::string value;  // trimmed
  std::string variable;
};

struct Source {
  std::string type;  // "postgres", "mysql", "redis"
  std::vector<SourceKey> keys;
};

// The first that is set of what makes the check; `ignored` are the variables of the others. Nothing where
// none is set.
struct Chosen {
  Source source;
  std::vector<std::string> ignored;
};
std::optional<Chosen> database_source(const Environment& environment);
std::optional<Chosen> redis_source(const Environment& environment);

// Without the blanks and line ends around it; nothing when it is not set.
std::optional<std::string> variable_value(const Environment& environment, std::string_view name);

// All names that the environment alone knows.
const std::vector<std::string_view>& known_variables();

}  // namespace probegate::config
