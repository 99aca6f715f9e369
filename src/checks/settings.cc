#include "checks/settings.h"

#include <unistd.h>

#include <iostream>

#include "checks/registry.h"
#include "config/load.h"

namespace probegate::checks {

Settings load_settings(const std::optional<std::string>& file) {
  Settings settings;
  config::Loaded loaded = config::load(file, config::process_environment(), checks::config_check_types());
  settings.config = std::move(loaded.config);
  settings.problems = std::move(loaded.problems);
  settings.effective = std::move(loaded.effective);
  settings.source = std::move(loaded.source);
  settings.file = std::move(loaded.file);
  settings.blank = loaded.blank;
  settings.origins = std::move(loaded.origins);
  settings.warnings = std::move(loaded.warnings);
  settings.values = std::move(loaded.values);
  settings.files = std::move(loaded.files);
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
