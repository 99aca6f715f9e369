#include "health/gate.h"

#include <algorithm>

namespace probegate::health {
namespace {

bool traffic_failing(const HealthModel& model) {
  for (std::size_t i = 0; i < model.states().size(); ++i) {
    if (model.policies()[i].affects.traffic && model.states()[i].status == CheckStatus::fail) return true;
  }
  return false;
}

bool startup_passing(const HealthModel& model) {
  for (std::size_t i = 0; i < model.states().size(); ++i) {
    if (model.policies()[i].affects.startup && !model.states()[i].passing()) return false;
  }
  return true;
}

// True if this check keeps back what it affects. After the first opening only a failure counts: a check
// without a result yet (for example a new one after a reload) has no effect.
bool holds_back(const CheckPolicy& policy, const CheckState& state, bool ever_opened) {
  const bool failing = state.status == CheckStatus::fail;
  if (ever_opened) return failing && (policy.affects.readiness || policy.affects.traffic);
  return (policy.affects.startup && !state.passing()) || (policy.affects.traffic && failing);
}

// Marks the check as a cause, or, if it only waits for others, those others. The configuration refuses
// cycles; `seen` ends the recursion even if there were one.
void mark_causes(const HealthModel& model, std::size_t check, std::vector<bool>& seen,
                 std::vector<bool>& causes) {
  if (seen[check]) return;
  seen[check] = true;
  const auto& needs = model.states()[check].waiting_for;
  if (needs.empty()) causes[check] = true;
  for (const std::size_t need : needs) mark_causes(model, need, seen, causes);
}

}  // namespace

std::string_view to_string(GateState state) {
  switch (state) {
    case GateState::starting: return "starting";
    case GateState::open: return "open";
    case GateState::closed: return "closed";
    case GateState::failed: return "failed";
    case GateState::paused: return "paused";
    case GateState::draining: return "draining";
  }
  return "failed";
}

Gate::Gate(GatePolicy policy, TimePoint started) : policy_(policy), started_(started) {}

void Gate::set_policy(GatePolicy policy) {
  if (policy == policy_) return;
  policy_ = policy;
  if (ever_opened() || draining_) return;
  timed_out_ = false;
  judged_ = GateState::starting;
}

GateState Gate::state() const {
  if (draining_) return GateState::draining;
  return pause_ ? GateState::paused : judged_;
}

bool Gate::update(const HealthModel& model, TimePoint now) {
  if (draining_) return false;
  const GateState before = state();
  if (pause_ && now >= pause_->until) end_pause(pause_->until);
  if (!pause_) judge(model, now);
  return state() != before;
}

void Gate::judge(const HealthModel& model, TimePoint now) {
  const bool may_pass = !traffic_failing(model);
  if (ever_opened()) {
    judged_ = may_pass ? GateState::open : GateState::closed;
  } else if (may_pass && startup_passing(model)) {
    judged_ = GateState::open;
    opened_after_ = now - started_;
  } else if (next_deadline() && now >= deadline()) {
    timed_out_ = true;
    if (policy_.on_startup_timeout != StartupTimeoutPolicy::wait) judged_ = GateState::failed;
  }
}

void Gate::pause(TimePoint now, TimePoint until) {
  if (!pause_) pause_ = Pause{now, until};
  pause_->until = until;
}

void Gate::end_pause(TimePoint now) {
  excused_ += now - pause_->since;
  pause_.reset();
}

void Gate::drain() { draining_ = true; }

void Gate::resume(TimePoint now) {
  draining_ = false;
  if (pause_) end_pause(std::min(now, pause_->until));
}

std::optional<TimePoint> Gate::next_deadline() const {
  if (draining_) return std::nullopt;
  if (pause_) return pause_->until;
  const bool counting = policy_.startup_timeout > Duration::zero() && !ever_opened() && !timed_out_;
  return counting ? std::optional(deadline()) : std::nullopt;
}

std::vector<std::size_t> Gate::waiting_for(const HealthModel& model, bool ever_opened) {
  const std::size_t count = model.states().size();
  std::vector<bool> seen(count);
  std::vector<bool> causes(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (holds_back(model.policies()[i], model.states()[i], ever_opened)) mark_causes(model, i, seen, causes);
  }
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < count; ++i) {
    if (causes[i]) result.push_back(i);
  }
  return result;
}

}  // namespace probegate::health
