// Gate: decides whether new sessions may reach the backend. A pure state machine over the status of the
// checks, time, pauses and drains.
//
// starting -> open, with `failed` after startup_timeout and `closed` while a `traffic` check fails. A pause
// and a drain lie over these, the drain on top: while one lasts, checks and startup_timeout decide nothing.
// Invariant: the startup latch (ever_opened) never reverts; a drain is left by resume() only. Called from:
// the control loop only. Readers elsewhere get snapshots.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/startup_timeout.h"
#include "health/health_model.h"

namespace probegate::health {

enum class GateState { starting, open, closed, failed, paused, draining };
inline constexpr GateState kGateStates[] = {GateState::starting, GateState::open,   GateState::closed,
                                            GateState::failed,   GateState::paused, GateState::draining};
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
  // Keeps the gate shut until `until`, whatever the checks say; again: until the new time. Ends by itself at
  // update(). startup_timeout stands still meanwhile.
  void pause(TimePoint now, TimePoint until);
  void drain();
  void resume(TimePoint now);  // ends both; call update() next
  // The time for which the process was suspended does not count against startup_timeout.
  void excuse(Duration frozen) { excused_ += frozen; }
  // The timeout still counts from the start of the process, so a longer one revives a failed startup.
  // Call update() next.
  void set_policy(GatePolicy policy);

  GateState state() const;
  bool paused() const { return pause_.has_value(); }  // also below a drain
  // If true, traffic is still served in the first phase of a drain.
  bool opened_before_drain() const { return draining_ && !pause_ && judged_ == GateState::open; }
  bool ever_opened() const { return opened_after_.has_value(); }
  std::optional<Duration> opened_after() const { return opened_after_; }  // process start to first open
  bool startup_timed_out() const { return timed_out_; }  // the timeout passed before the first open
  std::optional<TimePoint> next_deadline() const;        // when update() must be called even without a result

  // Indices of the checks because of which the gate is not open (or, after the first opening, readiness
  // fails). Causes only: instead of a check that waits for others, those others are listed, whatever they
  // affect. So it is never empty while checks keep the gate closed.
  static std::vector<std::size_t> waiting_for(const HealthModel& model, bool ever_opened);

 private:
  struct Pause {
    TimePoint since;
    TimePoint until;
  };

  TimePoint deadline() const { return started_ + policy_.startup_timeout + excused_; }  // for the startup
  void judge(const HealthModel& model, TimePoint now);
  void end_pause(TimePoint now);

  GatePolicy policy_;
  TimePoint started_;
  Duration excused_{0};
  GateState judged_ = GateState::starting;  // by the checks and the time
  std::optional<Pause> pause_;
  bool draining_ = false;
  std::optional<Duration> opened_after_;
  bool timed_out_ = false;
};

}  // namespace probegate::health
