// HealthModel: every check's judged state. Pure data and pure functions; time is passed in.
//
// Owns: one CheckState per configured check.
// Invariant: record() and its siblings are the only mutations, and each says what changed, so logs, metrics
// and the gate hang on transitions and a flapping dependency logs edges.
// Called from: the control loop only.
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

// How results are judged. Immutable until a new configuration replaces them all.
struct CheckPolicy {
  std::string name;
  std::string type;
  std::string target = {};  // what it asks, for people: host, port and database, without user-info
  Affects affects;
  std::vector<std::size_t> needs;  // indices of checks that must have passed once before this one is polled
  int rise = 1;                    // consecutive passes from unknown or fail to pass
  int fall = 3;            // consecutive failures from pass to fail; the first result of all counts alone
  Duration slow{0};        // a pass that took longer is "warn"; 0 = off
  Duration stable_for{0};  // passes without a miss for so long before it counts as passing; 0 = off
};

// True for a pass that took longer than the policy calls healthy.
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
  WallTime since{};                           // of the judged status
  std::optional<WallTime> last_run = {};
  std::uint64_t runs = 0;
  std::uint64_t failures = 0;  // raw, all time
  std::uint64_t inconclusive = 0;
  int consecutive_failures = 0;          // raw
  int consecutive_passes = 0;            // raw
  std::optional<Duration> latency = {};  // of the last conclusive run
  std::optional<Duration> startup = {};  // from process start to the first judged pass
  std::optional<CheckError> error = {};  // of the last conclusive run; empty after a clean pass that counts

  bool passing() const { return status == CheckStatus::pass || status == CheckStatus::warn; }
  bool ever_passed() const { return startup.has_value(); }
};

struct Transition {
  std::size_t check;
  CheckStatus from;
  CheckStatus to;
};

// Where a check of a new configuration comes from.
struct Origin {
  std::optional<std::size_t> before = {};  // the check of the same name, if there was one
  bool same_target = false;                // and it asks the same of the same dependency
  bool operator==(const Origin&) const = default;
};

class HealthModel {
 public:
  HealthModel(std::vector<CheckPolicy> policies, TimePoint started, WallTime wall);

  // One finished attempt. Returns every status change it caused: its own first, then checks that were waiting
  // only for this one (waiting -> unknown) and may be polled now.
  std::vector<Transition> record(std::size_t check, const CheckResult& result, Duration latency,
                                 TimePoint now, WallTime wall);

  // The data plane saw the backend refuse: the check is judged failing at once, whatever `fall` says, and
  // then needs `rise` passes again. No run, so the counts of runs stay. A check that waits for others is left
  // alone.
  std::vector<Transition> record_refusal(std::size_t check, std::string message, WallTime wall);

  // A new configuration. Says what changed for the checks that go on: those that were waiting and may be
  // polled now.
  std::vector<Transition> reload(std::vector<CheckPolicy> policies, const std::vector<Origin>& origins,
                                 WallTime wall);

  // May this check be polled? Once its needs have all passed a first time the answer stays yes.
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
