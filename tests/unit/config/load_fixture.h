// Shortcuts for tests that load a configuration from text.
#pragma once

#include <string>
#include <vector>

#include "stub_types.h"

namespace probegate::config {

inline Loaded load_yaml(const std::string& yaml, const Environment& environment = {}) {
  return load_text(yaml, "f.yaml", environment, stub_types());
}

inline std::vector<std::string> problems_of(const std::string& yaml, const Environment& environment = {}) {
  return load_yaml(yaml, environment).problems;
}

using Lines = std::vector<std::string>;

}  // namespace probegate::config
