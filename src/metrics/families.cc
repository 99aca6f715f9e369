#include "metrics/families.h"

#include <algorithm>
#include <string>
#include <vector>

namespace probegate::metrics {
namespace {

// Adds up the same number of every data loop.
class Sum {
 public:
  explicit Sum(std::span<const DataLoopMetrics* const> loops) : loops_(loops) {}

  std::uint64_t of(Counter DataLoopMetrics::*member) const {
    std::uint64_t total = 0;
    for (const auto* loop : loops_) total += (loop->*member).value();
    return total;
  }
  std::int64_t of(Gauge DataLoopMetrics::*member) const {
    std::int64_t total = 0;
    for (const auto* loop : loops_) total += (loop->*member).value();
    return total;
  }
  double of(DurationCounter DataLoopMetrics::*member) const {
    double total = 0;
    for (const auto* loop : loops_) total += (loop->*member).seconds();
    return total;
  }
  std::uint64_t requests(int code) const {
    std::uint64_t total = 0;
    for (const auto* loop : loops_) total += loop->requests.value(code);
    return total;
  }
  std::uint64_t other_requests() const {
    std::uint64_t total = 0;
    for (const auto* loop : loops_) total += loop->requests.other();
    return total;
  }

  // One sample per word of the label set, also where the number is zero.
  template <typename Label>
  void per_label(Exposition& out, PerLabel<Label, Counter> DataLoopMetrics::*member) const {
    for (std::size_t word = 0; word < label_count<Label>; ++word) {
      std::uint64_t total = 0;
      for (const auto* loop : loops_) total += (loop->*member)[static_cast<Label>(word)].value();
      out.sample({{LabelSet<Label>::name, LabelSet<Label>::words[word]}}, total);
    }
  }
  void histogram(Exposition& out, Histogram DataLoopMetrics::*member) const {
    std::vector<const Histogram*> all;
    for (const auto* loop : loops_) all.push_back(&(loop->*member));
    out.sample({}, all.data(), all.size());
  }

 private:
  std::span<const DataLoopMetrics* const> loops_;
};

void write_requests(Exposition& out, const Sum& sum) {
  out.counter("probegate_requests", "Responses sent to clients, by HTTP status.");
  for (int code = CodeCounters::kFirst; code <= CodeCounters::kLast; ++code) {
    if (const auto total = sum.requests(code); total > 0) out.sample({{"code", std::to_string(code)}}, total);
  }
  if (const auto total = sum.other_requests(); total > 0) out.sample({{"code", "other"}}, total);
  out.histogram("probegate_request_duration_seconds",
                "Time from the end of a request's head to the last byte of the response, without upgrades.");
  sum.histogram(out, &DataLoopMetrics::request_duration);
  out.counter("probegate_refused", "Requests refused by probegate itself, by reason.");
  sum.per_label(out, &DataLoopMetrics::refused);
}

void write_tunnels(Exposition& out, const Sum& sum) {
  out.counter("probegate_upgrades", "WebSocket upgrade requests, by result.");
  sum.per_label(out, &DataLoopMetrics::upgrades);
  out.histogram("probegate_upgrade_duration_seconds",
                "Time from the end of an upgrade request's head to the verified 101.");
  sum.histogram(out, &DataLoopMetrics::upgrade_duration);
  out.gauge("probegate_tunnels", "Open tunnels.");
  out.sample({}, sum.of(&DataLoopMetrics::tunnels));
  out.counter("probegate_tunnel_messages", "WebSocket messages relayed.");
  sum.per_label(out, &DataLoopMetrics::tunnel_messages);
  out.counter("probegate_tunnel_bytes", "Bytes relayed in tunnels, framing included.");
  sum.per_label(out, &DataLoopMetrics::tunnel_bytes);
  out.counter("probegate_tunnel_ends", "Tunnels ended, by cause.");
  sum.per_label(out, &DataLoopMetrics::tunnel_ends);
}

void write_hold(Exposition& out, const Sum& sum) {
  out.gauge("probegate_held", "Requests that are waiting for the gate.");
  out.sample({}, sum.of(&DataLoopMetrics::held));
  out.histogram("probegate_hold_seconds", "How long held requests waited for the gate.");
  sum.histogram(out, &DataLoopMetrics::hold_seconds);
}

void write_auth(Exposition& out, const Sum& sum, bool breaker_open) {
  out.counter("probegate_auth_requests", "Requests that needed a decision of the auth service, by result.");
  sum.per_label(out, &DataLoopMetrics::auth_requests);
  out.histogram("probegate_auth_duration_seconds",
                "Time that requests to the auth service took, to the answer or the timeout.");
  sum.histogram(out, &DataLoopMetrics::auth_duration);
  out.gauge("probegate_auth_breaker_open",
            "1 while the auth breaker is open, until a trial request has succeeded.");
  out.sample({}, breaker_open ? 1 : 0);
  out.counter("probegate_auth_prevented_seconds",
              "Waiting time saved by the open breaker or the pre-check: auth.timeout per request.");
  out.sample({}, sum.of(&DataLoopMetrics::auth_prevented_seconds));
}

}  // namespace

void write_traffic(Exposition& out, std::span<const DataLoopMetrics* const> loops, SharedTraffic shared) {
  const Sum sum(loops);
  write_requests(out, sum);
  write_tunnels(out, sum);
  write_hold(out, sum);
  write_auth(out, sum, shared.auth_breaker_open);
  out.counter("probegate_backend_restarts", "Restarts of the backend.");
  out.sample({}, shared.backend_restarts);
}

void write_control(Exposition& out, const ControlMetrics& control, std::size_t lost_check_threads) {
  out.histogram("probegate_check_duration_seconds", "How long the conclusive runs of a check took.");
  for (const auto& check : control.checks) out.sample({{"check", check.name}}, check.duration);
  out.counter("probegate_check_runs", "Runs of a check, by result.");
  for (const auto& check : control.checks) {
    for (std::size_t i = 0; i < label_count<RunResult>; ++i) {
      out.sample({{"check", check.name}, {"result", LabelSet<RunResult>::words[i]}},
                 check.runs[static_cast<RunResult>(i)].value());
    }
  }
  out.counter("probegate_check_failures", "Failed runs of a check, by kind of failure.");
  for (const auto& check : control.checks) {
    for (std::size_t i = 0; i < label_count<FailKind>; ++i) {
      out.sample({{"check", check.name}, {"kind", LabelSet<FailKind>::words[i]}},
                 check.failures[static_cast<FailKind>(i)].value());
    }
  }
  out.gauge("probegate_check_threads_lost", "Abandoned threads of checks whose code has not returned.");
  out.sample({}, lost_check_threads);
  out.gauge("probegate_loop_lag_seconds", "Delay of an event loop.");
  for (const auto& loop : control.loops) out.sample({{"loop", loop.name}}, loop.lag_seconds());
  out.counter("probegate_config_reloads", "Reloads of the configuration, by result.");
  for (std::size_t i = 0; i < label_count<ReloadResult>; ++i) {
    out.sample({{"result", LabelSet<ReloadResult>::words[i]}},
               control.reloads[static_cast<ReloadResult>(i)].value());
  }
  out.gauge("probegate_config_last_reload_success_timestamp_seconds",
            "Time when the running configuration was read, at the start or by a reload.");
  out.sample({}, to_seconds(control.configured.time_since_epoch()));
  out.counter("probegate_alerts", "Alerts, by result.");
  for (std::size_t i = 0; i < label_count<AlertResult>; ++i) {
    const auto result = static_cast<AlertResult>(i);
    const auto unposted = result == AlertResult::dropped ? control.alerts_unposted.value() : 0;
    out.sample({{"result", to_string(result)}}, control.alerts[result].value() + unposted);
  }
  out.gauge("probegate_backend_stopping",
            "1 during a planned stop of the backend: for drain.timeout after it began to close tunnels with "
            "1001 or 1012.");
  out.sample({}, control.backend_stopping.value());
  out.counter("probegate_starts", "Starts of probegate, counted across restarts; needs a state file.");
  if (control.starts) out.sample({}, *control.starts);
  out.counter("probegate_unclean_ends",
              "Starts after a process that was killed or crashed; needs a state file.");
  if (control.unclean_ends) out.sample({}, *control.unclean_ends);
}

}  // namespace probegate::metrics
