#include "checks/plan.h"

#include <algorithm>

#include "checks/registry.h"
#include "checks/renewal.h"

namespace probegate::checks {
namespace {

std::vector<std::size_t> indices(const std::vector<std::string>& names,
                                 const std::vector<config::CheckSpec>& checks) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < checks.size(); ++i) {
    if (std::find(names.begin(), names.end(), checks[i].name) != names.end()) found.push_back(i);
  }
  return found;
}

}  // namespace

std::vector<health::CheckPolicy> check_policies(const config::Config& config) {
  std::vector<health::CheckPolicy> policies;
  for (const auto& spec : config.checks) {
    policies.push_back({.name = spec.name,
                        .type = spec.type,
                        .affects = {spec.startup, spec.readiness, spec.traffic},
                        .needs = indices(spec.needs, config.checks),
                        .rise = spec.rise,
                        .fall = spec.fall,
                        .slow = spec.slow,
                        .stable_for = spec.stable_for});
  }
  return policies;
}

std::vector<health::CheckPolicy> check_policies(const config::Config& config,
                                                const std::vector<PlannedCheck>& planned) {
  auto policies = check_policies(config);
  for (std::size_t i = 0; i < policies.size(); ++i) policies[i].target = planned[i].plan.target;
  return policies;
}

std::vector<PlannedCheck> plan_checks(const config::Config& config) {
  std::vector<PlannedCheck> planned;
  const auto shared = std::make_shared<const config::Config>(config);
  for (const auto& spec : config.checks) {
    const ReadCheck read = find_check_type(spec.type)->read;
    PlannedCheck check{Pace::of(spec), spec.timeout, renewing(read, spec, shared)};
    check.question = spec.question + check.plan.target;  // a relative URL also depends on proxy.backend
    check.logs_in = find_check_type(spec.type)->logs_in;
    planned.push_back(std::move(check));
  }
  return planned;
}

}  // namespace probegate::checks
