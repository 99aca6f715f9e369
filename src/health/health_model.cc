#include "health/health_model.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace probegate::health {
namespace {

std::string millis_text(Duration d) { return std::to_string(std::llround(to_millis(d))) + " ms"; }

std::string seconds_text(Duration d) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", to_seconds(d));
  return text;
}

// Why a passing dependency does not count as `pass` yet; empty if it has passed often and long enough.
std::optional<CheckError> still_proving(const CheckPolicy& policy, const CheckState& state,
                                        Duration answering) {
  if (policy.stable_for > Duration::zero() && answering < policy.stable_for) {
    return CheckError{FailKind::answer, "answers, stable for " + seconds_text(answering) + " of " +
                                            seconds_text(policy.stable_for)};
  }
  if (state.consecutive_passes < policy.rise) {
    return CheckError{FailKind::answer, "answers, " + std::to_string(state.consecutive_passes) + " of " +
                                            std::to_string(policy.rise) + " passes"};
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(CheckStatus status) {
  switch (status) {
    case CheckStatus::pass: return "pass";
    case CheckStatus::warn: return "warn";
    case CheckStatus::fail: return "fail";
    case CheckStatus::waiting: return "waiting";
    case CheckStatus::unknown: return "unknown";
  }
  return "unknown";
}

HealthModel::HealthModel(std::vector<CheckPolicy> policies, TimePoint started, WallTime wall)
    : policies_(std::move(policies)),
      states_(policies_.size()),
      passing_since_(policies_.size()),
      started_(started) {
  for (std::size_t i = 0; i < policies_.size(); ++i) {
    states_[i].since = wall;
    begin_waiting(i);
  }
}

// Lets a check without a status wait for those of its needs that have never passed.
void HealthModel::begin_waiting(std::size_t check) {
  CheckState& state = states_[check];
  state.waiting_for = policies_[check].needs;
  std::erase_if(state.waiting_for, [&](std::size_t need) { return states_[need].ever_passed(); });
  if (!state.waiting_for.empty()) state.status = CheckStatus::waiting;
}

// A check whose target is unchanged keeps its state: a new threshold or order says nothing about the
// dependency. A check with a new target starts without a status, so it closes nothing that was open. But a
// check that was failing stays failing, with its old error, until the new target has been checked.
std::vector<Transition> HealthModel::reload(std::vector<CheckPolicy> policies,
                                            const std::vector<Origin>& origins, WallTime wall) {
  const std::vector<CheckState> before = std::exchange(states_, std::vector<CheckState>(policies.size()));
  const auto passing_before = std::exchange(passing_since_, {});
  passing_since_.resize(policies.size());
  policies_ = std::move(policies);

  for (std::size_t i = 0; i < states_.size(); ++i) {
    CheckState& state = states_[i];
    state.since = wall;
    if (!origins[i].before) continue;
    const CheckState& old = before[*origins[i].before];
    if (origins[i].same_target) {
      state = old;
      passing_since_[i] = passing_before[*origins[i].before];
    } else if (old.status == CheckStatus::fail) {
      state.status = old.status;
      state.since = old.since;
      state.error = old.error;
    }
  }
  std::vector<Transition> transitions;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const CheckStatus status = states_[i].status;
    if (status != CheckStatus::waiting && status != CheckStatus::unknown) continue;
    const bool begun = status == CheckStatus::unknown && origins[i].same_target;  // its needs have passed
    if (begun) continue;
    states_[i].status = CheckStatus::unknown;
    begin_waiting(i);
    if (status == states_[i].status) continue;
    states_[i].since = wall;
    if (status == CheckStatus::waiting) transitions.push_back({i, status, states_[i].status});
  }
  return transitions;
}

std::vector<Transition> HealthModel::record(std::size_t check, const CheckResult& result, Duration latency,
                                            TimePoint now, WallTime wall) {
  CheckState& state = states_[check];
  ++state.runs;
  state.last_run = wall;
  std::vector<Transition> transitions;
  switch (result.verdict) {
    case Verdict::inconclusive: ++state.inconclusive; break;
    case Verdict::fail:
      state.latency = latency;
      record_failure(check, result.error.value_or(CheckError{}), wall, transitions);
      break;
    case Verdict::pass:
    case Verdict::warn:
      state.latency = latency;
      record_pass(check, result.error, now, wall, transitions);
      break;
  }
  return transitions;
}

void HealthModel::record_failure(std::size_t check, CheckError error, WallTime wall,
                                 std::vector<Transition>& transitions) {
  CheckState& state = states_[check];
  ++state.failures;
  ++state.consecutive_failures;
  state.consecutive_passes = 0;
  state.error = std::move(error);
  passing_since_[check].reset();
  if (!state.passing() || state.consecutive_failures >= policies_[check].fall) {
    change(check, CheckStatus::fail, wall, transitions);
  }
}

void HealthModel::record_pass(std::size_t check, std::optional<CheckError> warning, TimePoint now,
                              WallTime wall, std::vector<Transition>& transitions) {
  const CheckPolicy& policy = policies_[check];
  CheckState& state = states_[check];
  ++state.consecutive_passes;
  state.consecutive_failures = 0;
  if (!passing_since_[check]) passing_since_[check] = now;

  if (!state.passing()) {
    state.error = still_proving(policy, state, now - *passing_since_[check]);
    if (state.error) return;
  }
  if (!warning && is_slow(policy, *state.latency)) {
    warning = CheckError{FailKind::answer,
                         "slow: " + millis_text(*state.latency) + ", limit " + millis_text(policy.slow)};
  }
  state.error = std::move(warning);
  change(check, state.error ? CheckStatus::warn : CheckStatus::pass, wall, transitions);
  if (!state.startup) {
    state.startup = now - started_;
    release_waiting(wall, transitions);
  }
}

std::vector<Transition> HealthModel::record_refusal(std::size_t check, std::string message, WallTime wall) {
  std::vector<Transition> transitions;
  CheckState& state = states_[check];
  if (state.status == CheckStatus::waiting) return transitions;  // has no status yet
  state.consecutive_passes = 0;
  state.error = CheckError{FailKind::connect, std::move(message)};
  passing_since_[check].reset();
  change(check, CheckStatus::fail, wall, transitions);
  return transitions;
}

void HealthModel::change(std::size_t check, CheckStatus to, WallTime wall,
                         std::vector<Transition>& transitions) {
  CheckState& state = states_[check];
  if (state.status == to) return;
  transitions.push_back({check, state.status, to});
  state.status = to;
  state.since = wall;
}

void HealthModel::release_waiting(WallTime wall, std::vector<Transition>& transitions) {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].status != CheckStatus::waiting) continue;
    auto& needs = states_[i].waiting_for;
    std::erase_if(needs, [&](std::size_t need) { return states_[need].ever_passed(); });
    if (needs.empty()) change(i, CheckStatus::unknown, wall, transitions);
  }
}

}  // namespace probegate::health
