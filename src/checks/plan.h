// Converts the configuration to the inputs of the health model and the runner: one entry per check,
// in file order.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "checks/check.h"
#include "checks/schedule.h"
#include "health/health_model.h"

namespace probegate::checks {

struct PlannedCheck {
  Pace pace;
  Duration timeout;  // of a whole attempt, all phases
  CheckPlan plan;
  std::string question = {};  // equal strings mean the same target; contains secrets, never shown
  bool logs_in = true;        // result `auth` means a refused login
};

// For a configuration that loaded without problems.
std::vector<health::CheckPolicy> check_policies(const config::Config& config);
std::vector<PlannedCheck> plan_checks(const config::Config& config);
// The same with the target of each check; `planned` must come from the same configuration.
std::vector<health::CheckPolicy> check_policies(const config::Config& config,
                                                const std::vector<PlannedCheck>& planned);

}  // namespace probegate::checks
