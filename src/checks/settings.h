// Connects config/ and checks/: loads the configuration with the keys of every check, or returns all errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checks/plan.h"
#include "config/config.h"
#include "config/load.h"

namespace probegate::checks {

struct Settings : config::Loaded {
  std::vector<PlannedCheck> planned;  // one per check, if there are no problems
};

Settings load_settings(const std::optional<std::string>& file);

LogFormat log_format(const config::LogOptions& options);

// Prints the problems on stderr; true if there are none.
bool print_problems(const Settings& settings);
// Prints the warnings on stderr, for commands without a log.
void print_warnings(const Settings& settings);

}  // namespace probegate::checks
