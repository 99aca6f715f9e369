#include <iostream>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/load_config.h"

namespace probegate::app {

int validate(const ValidateOptions& options) {
  const Settings settings = load_settings(options.config);
  if (!print_problems(settings)) {
    std::cerr << settings.source << ": " << settings.problems.size()
              << (settings.problems.size() == 1 ? " mistake\n" : " mistakes\n");
    return exit_code::kUsage;
  }
  print_warnings(settings);
  if (options.print) {
    std::cout << settings.effective;
  } else {
    std::cout << settings.source << ": valid, " << settings.config.checks.size()
              << (settings.config.checks.size() == 1 ? " check\n" : " checks\n");
  }
  return exit_code::kOk;
}

}  // namespace probegate::app
