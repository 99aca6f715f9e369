#include "checks/schedule.h"

#include <algorithm>

namespace probegate::checks {
namespace {

using namespace std::chrono_literals;

constexpr Duration kStartSpread = 20ms;
constexpr Duration kShortestPause = 10ms;
constexpr double kJitter = 0.1;
constexpr Duration kSlowestLogin = 30s;
constexpr Duration kFirstRestart = 100ms;
constexpr Duration kSlowestRestart = 30s;

Duration scaled(Duration d, double factor) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::nano>(d) * factor);
}

// `first`, doubled each time, up to the limit.
Duration doubled(Duration first, int times, Duration limit) {
  Duration delay = first;
  for (int i = 0; i < times && delay < limit; ++i) delay *= 2;
  return std::min(delay, limit);
}

}  // namespace

TimePoint Schedule::first(TimePoint runner_started, double chance) const {
  if (pace_.initial_delay > Duration::zero()) return runner_started + pace_.initial_delay;
  return runner_started + scaled(std::min(kStartSpread, pace_.startup_interval), chance);
}

void Schedule::set_pace(Pace pace, bool traffic) {
  pace_ = pace;
  traffic_ = traffic;
}

TimePoint Schedule::following(TimePoint start, const health::CheckState& state, double chance) const {
  const bool keeps_clients_out = traffic_ && !state.passing();
  return start + (!state.ever_passed() || keeps_clients_out ? pace_.startup_interval
                                                            : scaled(pace_.interval, 1.0 - kJitter * chance));
}

TimePoint Schedule::next(const Finished& finished, const health::CheckState& state, double chance) {
  Duration wait = following(finished.start, state, chance) - finished.start;

  // Back off after a refused login: a wrong password tried four times a second could lock the account.
  const bool login_refused = finished.logs_in && finished.result.verdict == health::Verdict::fail &&
                             finished.result.error && finished.result.error->kind == health::FailKind::auth;
  refused_logins_ = login_refused && !state.passing() ? refused_logins_ + 1 : 0;
  if (refused_logins_ > 0)
    wait = std::max(wait, doubled(pace_.startup_interval, refused_logins_, kSlowestLogin));

  // After timeouts the pause grows, but only so far that the gate still opens in time.
  const bool timed_out = finished.result.verdict == health::Verdict::fail && finished.result.error &&
                         finished.result.error->kind == health::FailKind::timeout;
  timeouts_ = timed_out ? timeouts_ + 1 : 0;
  const Duration rest =
      timed_out ? doubled(pause(), timeouts_ - 1, std::max(pause(), pace_.startup_interval)) : pause();

  TimePoint at = std::max(finished.start + wait, finished.end + rest);
  crashes_ = finished.crashed ? crashes_ + 1 : 0;
  if (finished.crashed) {
    at = std::max(at, finished.end + doubled(kFirstRestart, crashes_ - 1, kSlowestRestart));
  }
  return at;
}

Duration Schedule::pause() const { return std::max(pace_.startup_interval / 10, kShortestPause); }

}  // namespace probegate::checks
