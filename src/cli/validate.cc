#include <iostream>

#include "base/exit_code.h"
#include "checks/settings.h"
#include "cli/commands.h"

namespace probegate::cli {

int validate(const ValidateOptions& options) {
  const checks::Settings settings = checks::load_settings(options.config);
  if (!checks::print_problems(settings)) {
    std::cerr << settings.source << ": " << settings.problems.size()
              << (settings.problems.size() == 1 ? " mistake\n" : " mistakes\n");
    return exit_code::kUsage;
  }
  checks::print_warnings(settings);
  if (options.print) {
    std::cout << settings.effective;
  } else {
    std::cout << settings.source << ": valid, " << settings.config.checks.size()
              << (settings.config.checks.size() == 1 ? " check\n" : " checks\n");
  }
  return exit_code::kOk;
}

}  // namespace probegate::cli
