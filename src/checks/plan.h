// From the configuration to what the health model and the runner take: one entry per check, in file order.
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
  Duration timeout;  // over all phases of one attempt
  CheckPlan plan;
  std::string question = {};  // equal to another's: the same is asked of the same dependency. Never shown.
  bool logs_in = true;        // a refused attempt is a refused login
};

// For a configuration that loaded without problems.
std::vector<health::CheckPolicy> check_policies(const config::Config& config);
std::vector<PlannedCheck> plan_checks(const config::Config& config);
// The same with what each check asks; `planned` is of the same configuration.
std::vector<health::CheckPolicy> check_policies(const config::Config& config,
                                                const std::vector<PlannedCheck>& planned);

}  // namespace probegate::checks
