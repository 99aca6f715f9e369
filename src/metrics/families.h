// The metric families that come from counters. Those of the gate and the status of checks come from a
// snapshot and are written in probe/.
#pragma once

#include <cstddef>
#include <span>

#include "metrics/control_metrics.h"
#include "metrics/data_loop_metrics.h"
#include "metrics/exposition.h"

namespace probegate::metrics {

// The sums of what the data loops counted.
// Values that exist once for all loops.
struct SharedTraffic {
  bool auth_breaker_open = false;
  std::uint64_t backend_restarts = 0;
};
void write_traffic(Exposition& out, std::span<const DataLoopMetrics* const> loops, SharedTraffic shared);

// Runs of the checks, lag of the loops, starts.
void write_control(Exposition& out, const ControlMetrics& control, std::size_t lost_check_threads);

}  // namespace probegate::metrics
