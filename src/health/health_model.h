// HealthModel: the status of every check, computed from results by rise, fall and stable_for. Pure; time
// is passed in.
//
// Owns: one CheckState per configured check. Invariant: only record(), record_refusal() and reload() change
// the state, and each returns the transitions, so that the log, the metrics and the gate react to changes and
// not to single results. Called from: the control loop only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "health/check_result.h"

namespace probegate::health {

struct Affects {
  bool startup = true;    // must pass before the gate opens for the first time
  bool readiness = true;  // while it fails, /health/ready answers 503
  bool traffic = false;   // while it fails, the gate is closed to new sessions
  bool operator==(const Affects&) const = default;
};

// The rules for the results of one check. Immutable until a new configuration replaces them all.
struct CheckPolicy {
  std::string name;
  std::string type;
  std::string target = {};  // what it connects to, for people: host, port and database, without user-info
  Affects affects;
  std::vector<std::size_t> needs;  // indices of checks that must have passed once before this one is polled
  int rise = 1;                    // consecutive passes from unknown or fail to pass
  int fall = 3;            // consecutive failures from pass to fail; the very first result counts at once
  Duration slow{0};        // a pass that took longer is "warn"; 0 = off
  Duration stable_for{0};  // it must pass without a miss for this time before it counts as passing; 0 = off
};

// True if a pass took longer than `slow`.
inline bool is_slow(const CheckPolicy& policy, Duration latency) {
  return policy.slow > Duration::zero() && latency > policy.slow;
}

enum class CheckStatus { pass, warn, fail, waiting, unknown };
inline constexpr CheckStatus kCheckStatuses[] = {CheckStatus::pass, CheckStatus::warn, CheckStatus::fail,
                                                 CheckStatus::waiting, CheckStatus::unknown};
std::string_view to_string(CheckStatus status);

struct CheckState {
  CheckStatus status = CheckStatus::unknown;
  std::vector<std::size_t> waiting_for = {};  // the needs that have not passed yet; only while `waiting`
  WallTime since{};                           // when the status last changed
  std::optional<WallTime> last_run = {};
  std::uint64_t runs = 0;
  std::uint64_t failures = 0;  // raw, all time
  std::uint64_t inconclusive = 0;
  int consecutive_failures = 0;          // raw
  int consecutive_passes = 0;            // raw
  std::optional<Duration> latency = {};  // of the last conclusive run
  std::optional<Duration> startup = {};  // from the start of the process to the first status `pass`
  std::optional<CheckError> error = {};  // of the last conclusive run; empty once it passes without warning

  bool passing() const { return status == CheckStatus::pass || status == CheckStatus::warn; }
  bool ever_passed() const { return startup.has_value(); }
};

struct Transition {
  std::size_t check;
  CheckStatus from;
  CheckStatus to;
};

// How a check of a new configuration relates to the old one.
struct Origin {
  std::optional<std::size_t> before = {};  // the check of the same name, if there was one
  bool same_target = false;                // and it checks the same thing on the same dependency
  bool operator==(const Origin&) const = default;
};

class HealthModel {
 public:
  HealthModel(std::vector<CheckPolicy> policies, TimePoint started, WallTime wall);

  // Records one finished attempt. Returns every status change it caused: first its own, then those of checks
  // that waited only for this one (waiting -> unknown) and may be polled now.
  std::vector<Transition> record(std::size_t check, const CheckResult& result, Duration latency,
                                 TimePoint now, WallTime wall);

  // The backend has refused a connection of the proxy: sets the check to fail at once, regardless of `fall`;
  // it then needs `rise` passes again. Not a run, so the counts of runs do not change. No effect on a check
  // that waits for others.
  std::vector<Transition> record_refusal(std::size_t check, std::string message, WallTime wall);

  // Applies a new configuration. Returns the transitions of checks that were waiting and may be polled now.
  std::vector<Transition> reload(std::vector<CheckPolicy> policies, const std::vector<Origin>& origins,
                                 WallTime wall);

  // True if this check may be polled; stays true once all its needs have passed for the first time.
  bool runnable(std::size_t check) const { return states_[check].status != CheckStatus::waiting; }

  const std::vector<CheckPolicy>& policies() const { return policies_; }
  const std::vector<CheckState>& states() const { return states_; }

 private:
  void record_pass(std::size_t check, std::optional<CheckError> warning, TimePoint now, WallTime wall,
                   std::vector<Transition>& transitions);
  void record_failure(std::size_t check, CheckError error, WallTime wall,
                      std::vector<Transition>& transitions);
  void change(std::size_t check, CheckStatus to, WallTime wall, std::vector<Transition>& transitions);
  void release_waiting(WallTime wall, std::vector<Transition>& transitions);
  void begin_waiting(std::size_t check);

  std::vector<CheckPolicy> policies_;
  std::vector<CheckState> states_;
  std::vector<std::optional<TimePoint>> passing_since_;  // first of an unbroken series of passes
  TimePoint started_;
};

}  // namespace probegate::health
