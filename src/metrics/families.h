// The families that come from counters alone. Those of the gate and the checks' states are written in probe/,
// from a snapshot.
#pragma once

#include <cstddef>
#include <span>

#include "metrics/control_metrics.h"
#include "metrics/data_loop_metrics.h"
#include "metrics/exposition.h"

namespace probegate::metrics {

// What the data loops counted, added up. They share the breaker.
// What the loops share.
struct SharedTraffic {
  bool auth_breaker_open = false;
  std::uint64_t backend_restarts = 0;
};
void write_traffic(Exposition& out, std::span<const DataLoopMetrics* const> loops, SharedTraffic shared);

// Runs of the checks, lag of the loops, starts.
void write_control(Exposition& out, const ControlMetrics& control, std::size_t lost_check_threads);

}  // namespace probegate::metrics
