// Joins config/ and checks/: the configuration with every check's own keys read, or all mistakes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checks/plan.h"
#include "config/compare.h"
#include "config/config.h"
#include "config/environment.h"

namespace probegate::checks {

struct Settings {
  config::Config config;                // usable when there are no problems
  std::vector<std::string> problems;    // one line each, ready to print
  std::string effective;                // YAML, secrets hidden
  std::string source;                   // the file, or "environment"
  std::optional<std::string> file;      // empty: the environment alone
  bool blank = false;                   // the file has nothing in it
  std::vector<config::Origin> origins;  // which variables made which check
  std::vector<std::string> warnings;    // one sentence each, without values
  config::Values values;                // to compare with another's; holds secrets
  std::vector<std::string> files;       // that it names to be read
  std::vector<PlannedCheck> planned;    // one per check, when there are no problems
};

Settings load_settings(const std::optional<std::string>& file);

LogFormat log_format(const config::LogOptions& options);

// Prints the problems on stderr; true when there were none.
bool print_problems(const Settings& settings);
// For commands that have no log.
void print_warnings(const Settings& settings);

}  // namespace probegate::checks
