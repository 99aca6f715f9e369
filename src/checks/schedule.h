// Schedule: when one check is to run next. Pure; the runner passes in time, state and chance.
//
// Before its first judged pass a check is polled at `startup_interval`, so that the gate opens soon after the
// dependency is ready; later at `interval`, also while it fails: faster polling finds nothing that `fall`
// would not. The exception is a failing `traffic` check, which keeps clients out and is polled at
// `startup_interval`. Refused logins are tried ever more slowly, but only once the check is judged failing: a
// single one of a passing check may be a secret that is being rotated. Intervals run from start to start;
// jitter only shortens them, so they stay a bound.
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

// What the schedule needs to know of an attempt that is over.
struct Finished {
  TimePoint start;
  TimePoint end;
  const health::CheckResult& result;
  bool crashed;         // the check threw
  bool logs_in = true;  // `auth` is then a refused login, which repeated too often would lock the account
};

class Schedule {
 public:
  Schedule(Pace pace, bool traffic) : pace_(pace), traffic_(traffic) {}

  // `chance` is uniform in [0, 1) here and below. The initial delay counts from the start of the runner; the
  // few milliseconds of spread keep the checks of many instances apart.
  TimePoint first(TimePoint runner_started, double chance) const;
  // The pace has changed; what was learnt about refused logins and crashes stays.
  void set_pace(Pace pace, bool traffic);
  void forget_refusals() { refused_logins_ = 0; }
  bool backing_off() const { return refused_logins_ > 0 || crashes_ > 0; }
  // When an attempt begun at `start` would be followed by the next, all being well.
  TimePoint following(TimePoint start, const health::CheckState& state, double chance) const;
  TimePoint next(const Finished& finished, const health::CheckState& state, double chance);
  // After a refusal that the data plane saw: at once, but for the pause between attempts.
  TimePoint after_refusal(TimePoint now) const { return now + pause(); }

 private:
  // Between the end of an attempt and the next start, so that a slow dependency is not polled without rest.
  Duration pause() const;

  Pace pace_;
  bool traffic_;
  int refused_logins_ = 0;  // in a row
  int timeouts_ = 0;        // in a row
  int crashes_ = 0;         // in a row
};

}  // namespace probegate::checks
