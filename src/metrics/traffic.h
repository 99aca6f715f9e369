// Traffic: the sums of all data loops at one moment, and the counts of the last minute.
//
// Costs the data loops nothing: the control loop reads their counters every few seconds.
#pragma once

#include <cstdint>
#include <deque>
#include <span>

#include "base/clock.h"
#include "metrics/data_loop_metrics.h"

namespace probegate::metrics {

struct Traffic {
  std::int64_t tunnels = 0;  // open now
  std::int64_t held = 0;     // waiting for the gate now
  std::int64_t busy = 0;     // tunnels, requests in flight and held ones now
  std::uint64_t requests = 0;
  PerLabel<Direction, std::uint64_t> messages{};
  PerLabel<UpgradeResult, std::uint64_t> upgrades{};
  PerLabel<Reason, std::uint64_t> upgrades_refused{};      // by us, those that failed included
  PerLabel<CodeClass, std::uint64_t> upgrades_answered{};  // not by 101
  PerLabel<CodeClass, std::uint64_t> upgrades_failed{};    // a part of these: the backend's answers
  PerLabel<CodeClass, std::uint64_t> requests_by_class{};  // other than upgrades
  std::uint64_t refused_below_500 = 0;                     // of these, or without any answer
  PerLabel<Reason, std::uint64_t> refused{};
  std::uint64_t tunnels_lost = 0;  // the client or the backend was lost

  std::uint64_t all_messages() const;
  std::uint64_t all_refused() const;
};

Traffic sum_up(std::span<const DataLoopMetrics* const> loops);

// Connections to the proxy port. The limit of open files may allow fewer than proxy.limits.connections (0
// = no limit).
struct ConnectionLimit {
  std::uint64_t open = 0;
  std::uint64_t in_force = 0;
  std::uint64_t configured = 0;

  bool reached() const { return in_force > 0 && open >= in_force; }
  bool lowered() const { return in_force > 0 && (configured == 0 || in_force < configured); }
};

// Refusals for one reason between two readings of the counters.
struct Refusals {
  WallTime wall;  // of the reading
  TimePoint at;   // the same moment
  Reason reason;
  std::uint64_t count;
};

// The counts of the last 60 s, or since the start if that is shorter.
struct LastMinute {
  std::uint64_t requests = 0;
  std::uint64_t messages = 0;
  std::uint64_t refused = 0;
  std::uint64_t tunnels_lost = 0;
  PerLabel<UpgradeResult, std::uint64_t> upgrades{};
  PerLabel<Reason, std::uint64_t> upgrades_refused{};
  PerLabel<CodeClass, std::uint64_t> upgrades_failed{};
  PerLabel<CodeClass, std::uint64_t> requests_by_class{};
  std::uint64_t refused_below_500 = 0;

  // True if more than half of them failed (including 5xx of the backend) or were refused.
  bool most_upgrades_fail() const;
  bool most_requests_fail() const;
};

class TrafficWindow {
 public:
  static constexpr Duration kStep = std::chrono::seconds(5);  // between two readings
  static constexpr std::size_t kRefusals = 50;

  explicit TrafficWindow(TimePoint started) : looks_{{started, {}}} {}

  void look(TimePoint now, WallTime wall, const Traffic& total);
  LastMinute last_minute(TimePoint now, const Traffic& total) const;
  const std::deque<Refusals>& refusals() const { return refusals_; }  // oldest first

 private:
  struct Look {
    TimePoint at;
    Traffic total;
  };
  std::deque<Look> looks_;  // the oldest is a minute old, or the start
  std::deque<Refusals> refusals_;
};

}  // namespace probegate::metrics
