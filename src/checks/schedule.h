// Schedule: computes when a check runs next. Pure; the runner passes time, state and a random number.
//
// Until it passes for the first time a check runs every `startup_interval`, so that the gate opens soon after
// the dependency is ready; later every `interval`, also while it fails. A failing `traffic` check also runs
// every `startup_interval`, because it keeps clients out. Refused logins are repeated at growing intervals,
// but only once the check is failing: a single refusal of a passing check may be a secret that is being
// rotated. Intervals run from start to start; jitter only shortens them, so they are an upper bound.
#pragma once

#include "base/clock.h"
#include "config/config.h"
#include "health/health_model.h"

namespace probegate::checks {

struct Pace {
  Duration interval;
  Duration startup_interval;
  Duration initial_delay;
  static Pace of(const config::CheckSpec& spec) {
    return {spec.interval, spec.startup_interval, spec.initial_delay};
  }
  bool operator==(const Pace&) const = default;
};

// What the schedule needs to know about a finished attempt.
struct Finished {
  TimePoint start;
  TimePoint end;
  const health::CheckResult& result;
  bool crashed;         // the check threw
  bool logs_in = true;  // result `auth` means a refused login; repeating it too often could lock the account
};

class Schedule {
 public:
  Schedule(Pace pace, bool traffic) : pace_(pace), traffic_(traffic) {}

  // `chance` is a uniform random number in [0, 1), here and below. The initial delay counts from the start of
  // the runner; a few milliseconds of random delay spread the checks of many instances.
  TimePoint first(TimePoint runner_started, double chance) const;
  // Sets new intervals; the counts of refused logins and crashes are kept.
  void set_pace(Pace pace, bool traffic);
  void forget_refusals() { refused_logins_ = 0; }
  bool backing_off() const { return refused_logins_ > 0 || crashes_ > 0; }
  // The start of the next attempt if the one begun at `start` passes.
  TimePoint following(TimePoint start, const health::CheckState& state, double chance) const;
  TimePoint next(const Finished& finished, const health::CheckState& state, double chance);
  // After a refusal seen by the proxy: at once, except for the pause between attempts.
  TimePoint after_refusal(TimePoint now) const { return now + pause(); }

 private:
  // The pause between the end of an attempt and the next start, so that a slow dependency is
  // not polled continuously.
  Duration pause() const;

  Pace pace_;
  bool traffic_;
  int refused_logins_ = 0;  // in a row
  int timeouts_ = 0;        // in a row
  int crashes_ = 0;         // in a row
};

}  // namespace probegate::checks
