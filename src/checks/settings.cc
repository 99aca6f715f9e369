#include "checks/settings.h"

#include <unistd.h>

#include <iostream>

#include "checks/registry.h"
#include "config/environment.h"

namespace probegate::checks {

Settings load_settings(const std::optional<std::string>& file) {
  Settings settings{config::load(file, config::process_environment(), config_check_types()), {}};
  if (settings.problems.empty()) settings.planned = checks::plan_checks(settings.config);
  return settings;
}

LogFormat log_format(const config::LogOptions& options) {
  return options.format.value_or(::isatty(STDOUT_FILENO) != 0 ? LogFormat::text : LogFormat::json);
}

bool print_problems(const Settings& settings) {
  for (const auto& problem : settings.problems) std::cerr << problem << "\n";
  return settings.problems.empty();
}

void print_warnings(const Settings& settings) {
  for (const auto& warning : settings.warnings)
    std::cerr << settings.source << ": warning: " << warning << "\n";
}

}  // namespace probegate::checks
