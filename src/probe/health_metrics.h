// The metric families that come from a snapshot, and the counting of one run of a check.
#pragma once

#include <cstdint>
#include <string_view>

#include "health/snapshot.h"
#include "metrics/control_metrics.h"
#include "metrics/exposition.h"

namespace probegate::probe {

// Gate, startup time, the status of every check, build.
void write_health(metrics::Exposition& out, const health::Snapshot& snapshot, std::int64_t sessions_left,
                  std::string_view version);

// Counts one finished run of a check by the rules of HealthModel::record().
void count_run(metrics::CheckMetrics& metrics, const health::CheckPolicy& policy,
               const health::CheckResult& result, Duration latency);

}  // namespace probegate::probe
