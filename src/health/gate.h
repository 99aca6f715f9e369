// Gate: decides whether new sessions may reach the backend. A pure state machine over the status of the
// checks, time and drain.
//
// starting -> open -> draining, with `failed` after startup_timeout and `closed` while a `traffic` check
// fails. Invariant: the startup latch (ever_opened) never reverts; draining is left by resume() only. Called
// from: the control loop only. Readers elsewhere get snapshots.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/startup_timeout.h"
#include "health/health_model.h"

namespace probegate::health {

enum class GateState { starting, open, closed, failed, draining };
inline constexpr GateState kGateStates[] = {GateState::starting, GateState::open, GateState::closed,
                                            GateState::failed, GateState::draining};
std::string_view to_string(GateState state);

struct GatePolicy {
  Duration startup_timeout = std::chrono::seconds(120);  // 0 = wait for ever
  StartupTimeoutPolicy on_startup_timeout = StartupTimeoutPolicy::fail;
  bool operator==(const GatePolicy&) const = default;
};

class Gate {
 public:
  Gate(GatePolicy policy, TimePoint started);

  // Evaluates the checks and the time. True if the state changed. Call after every recorded result
  // and at next_deadline().
  bool update(const HealthModel& model, TimePoint now);
  bool drain();   // true if this call began it
  void resume();  // from draining to the state before; call update() next
  // The time for which the process was suspended does not count against startup_timeout.
  void excuse(Duration frozen) { excused_ += frozen; }
  // The timeout still counts from the start of the process, so a longer one revives a failed startup.
  // Call update() next.
  void set_policy(GatePolicy policy);

  GateState state() const { return state_; }
  // If true, traffic is still served in the first phase of a drain.
  bool opened_before_drain() const { return before_drain_ == GateState::open; }
  bool ever_opened() const { return opened_after_.has_value(); }
  std::optional<Duration> opened_after() const { return opened_after_; }  // process start to first open
  bool startup_timed_out() const { return timed_out_; }  // the timeout passed before the first open
  std::optional<TimePoint> next_deadline() const;        // when update() must be called even without a result

  // Indices of the checks because of which the gate is not open (or, after the first opening, readiness
  // fails). Causes only: instead of a check that waits for others, those others are listed, whatever they
  // affect. So it is never empty while checks keep the gate closed.
  static std::vector<std::size_t> waiting_for(const HealthModel& model, bool ever_opened);

 private:
  TimePoint deadline() const { return started_ + policy_.startup_timeout + excused_; }  // for the startup

  GatePolicy policy_;
  TimePoint started_;
  Duration excused_{0};
  GateState state_ = GateState::starting;
  std::optional<GateState> before_drain_;  // set in draining
  std::optional<Duration> opened_after_;
  bool timed_out_ = false;
};

}  // namespace probegate::health
