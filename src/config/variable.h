// Variable: one ${VAR} of a configuration.
#pragma once

#include <string>

namespace probegate::config {

struct Variable {
  std::string name;
  bool required = false;  // without a default somewhere
};

}  // namespace probegate::config
