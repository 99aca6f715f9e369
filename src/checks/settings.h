// Joins config/ and checks/: the configuration with every check's own keys read, or all mistakes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checks/plan.h"
#include "config/config.h"
#include "config/load.h"

namespace probegate::checks {

struct Settings : config::Loaded {
  std::vector<PlannedCheck> planned;  // one per check, when there are no problems
};

Settings load_settings(const std::optional<std::string>& file);

LogFormat log_format(const config::LogOptions& options);

// Prints the problems on stderr; true when there were none.
bool print_problems(const Settings& settings);
// For commands that have no log.
void print_warnings(const Settings& settings);

}  // namespace probegate::checks
