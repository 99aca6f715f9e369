// Where health meets metrics: the families that a snapshot holds, and the counting of one run.
#pragma once

#include <string_view>

#include "health/snapshot.h"
#include "metrics/control_metrics.h"
#include "metrics/exposition.h"

namespace probegate::probe {

// Gate, startup time, the status of every check, build.
void write_health(metrics::Exposition& out, const health::Snapshot& snapshot, std::string_view version);

// Counts one finished run of a check as HealthModel::record() judges it.
void count_run(metrics::CheckMetrics& metrics, const health::CheckPolicy& policy,
               const health::CheckResult& result, Duration latency);

}  // namespace probegate::probe
