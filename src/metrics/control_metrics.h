// ControlMetrics: the metrics of the control loop: runs of checks, lag of the loops, starts.
//
// Thread: checks and starts belong to the control loop. `lag` of a data loop is written by that loop.
#pragma once

#include <deque>
#include <list>
#include <optional>
#include <string>
#include <utility>

#include "metrics/counters.h"

namespace probegate::metrics {

struct CheckMetrics {
  explicit CheckMetrics(std::string name_) : name(std::move(name_)) {}

  std::string name;
  Histogram duration;  // conclusive runs
  PerLabel<RunResult, Counter> runs;
  PerLabel<FailKind, Counter> failures;
};

// The delay of one event loop.
struct LoopMetrics {
  explicit LoopMetrics(std::string name_) : name(std::move(name_)) {}
  void set_lag(Duration lag) noexcept { lag_nanoseconds.set(lag.count()); }
  double lag_seconds() const noexcept { return static_cast<double>(lag_nanoseconds.value()) * 1e-9; }

  std::string name;  // "control", "data-0", ...
  Gauge lag_nanoseconds;
};

struct ControlMetrics {
  // Lists and deques, because atomics cannot be moved: adding an element leaves the others in place.
  std::list<CheckMetrics> checks;  // in the order of the configuration
  std::deque<LoopMetrics> loops;
  PerLabel<ReloadResult, Counter> reloads;
  PerLabel<AlertResult, Counter> alerts;  // by the thread that delivers them
  Counter alerts_unposted;                // by the control loop: dropped before they were posted
  Gauge backend_stopping;                 // 1 during a planned stop of the backend
  WallTime configured{};                  // when the running configuration was read
  // Counted across restarts; empty without a state file.
  std::optional<std::uint64_t> starts;
  std::optional<std::uint64_t> unclean_ends;

  std::uint64_t check_failures() const {  // of all checks, for whatever reason
    std::uint64_t total = 0;
    for (const auto& check : checks) {
      for (std::size_t kind = 0; kind < label_count<FailKind>; ++kind) {
        total += check.failures[static_cast<FailKind>(kind)].value();
      }
    }
    return total;
  }
};

}  // namespace probegate::metrics
