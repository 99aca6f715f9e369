// How the environment gives the address of a database or Redis: a URL, its parts or a file.
// Private to config/.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/environment.h"

namespace probegate::config {

// A key of a check and the variable that sets it.
struct SourceKey {
  std::string key;    // "url", "url_file", "host"
  std::string value;  // trimmed
  std::string variable;
};

struct Source {
  std::string type;  // "postgres", "mysql", "redis"
  std::vector<SourceKey> keys;
};

// The first source that is set; `ignored` has the variables of the others. Empty when none is set.
struct Chosen {
  Source source;
  std::vector<std::string> ignored;
};
std::optional<Chosen> database_source(const Environment& environment);
std::optional<Chosen> redis_source(const Environment& environment);

// Without surrounding whitespace and line ends; empty when it is not set.
std::optional<std::string> variable_value(const Environment& environment, std::string_view name);

// All variables that are read when there is no file.
const std::vector<std::string_view>& known_variables();

}  // namespace probegate::config
