#include "probe/health_metrics.h"

namespace probegate::probe {

void write_health(metrics::Exposition& out, const health::Snapshot& snapshot, std::int64_t sessions_left,
                  std::string_view version) {
  out.gauge("probegate_gate_open", "1 while new sessions may reach the backend.");
  out.sample({}, snapshot.gate == health::GateState::open ? 1 : 0);
  out.gauge("probegate_gate_state", "State of the gate: 1 for the current state, 0 for the others.");
  for (const auto state : health::kGateStates) {
    out.sample({{"state", to_string(state)}}, snapshot.gate == state ? 1 : 0);
  }
  out.gauge("probegate_drain_sessions_left",
            "Tunnels, requests in flight and held requests that are left during a drain; otherwise 0.");
  out.sample({}, snapshot.drain ? sessions_left : 0);
  out.gauge("probegate_startup_seconds",
            "Time from the start of the process to the first opening of the gate.");
  if (snapshot.startup) out.sample({}, to_seconds(*snapshot.startup));
  out.gauge("probegate_check_status", "Status of a check: 1 for the current status, 0 for the others.");
  for (std::size_t i = 0; i < snapshot.checks.size(); ++i) {
    for (const auto status : health::kCheckStatuses) {
      out.sample({{"check", (*snapshot.policies)[i].name}, {"status", to_string(status)}},
                 snapshot.checks[i].status == status ? 1 : 0);
    }
  }
  out.info("probegate_build", "The running version.");
  out.sample({{"version", version}}, 1);
}

void count_run(metrics::CheckMetrics& metrics, const health::CheckPolicy& policy,
               const health::CheckResult& result, Duration latency) {
  using metrics::RunResult;
  RunResult label = RunResult::inconclusive;
  switch (result.verdict) {
    case health::Verdict::pass: label = is_slow(policy, latency) ? RunResult::warn : RunResult::pass; break;
    case health::Verdict::warn: label = RunResult::warn; break;
    case health::Verdict::fail: label = RunResult::fail; break;
    case health::Verdict::inconclusive: break;
  }
  metrics.runs[label].add();
  if (label != RunResult::inconclusive) metrics.duration.observe(latency);
  if (label == RunResult::fail) {
    metrics.failures[result.error ? result.error->kind : health::FailKind::internal].add();
  }
}

}  // namespace probegate::probe
