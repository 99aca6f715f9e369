#include "client/report_row.h"

#include <algorithm>

namespace probegate::client {
namespace {

double total(const std::map<std::string, double>& parts) {
  double sum = 0;
  for (const auto& [name, value] : parts) sum += value;
  return sum;
}

double value_of(const std::map<std::string, double>& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? 0 : found->second;
}

void add_growth(std::map<std::string, double>& into, const std::map<std::string, double>& before,
                const std::map<std::string, double>& now) {
  for (const auto& [name, value] : now) {
    const double growth = value - value_of(before, name);
    if (growth > 0) into[name] += growth;
  }
}

void add_all(std::map<std::string, double>& into, const std::map<std::string, double>& from) {
  for (const auto& [name, value] : from) into[name] += value;
}

}  // namespace

Reading Reading::of(const MetricSamples& samples) {
  Reading reading;
  const auto upgrades = [&](const char* result) {
    return samples.sum("probegate_upgrades_total", "result", result);
  };
  const auto ends = [&](const char* cause) {
    return samples.sum("probegate_tunnel_ends_total", "cause", cause);
  };
  reading.counters = {{kMessages, samples.sum("probegate_tunnel_messages_total")},
                      {kRequests, samples.sum("probegate_requests_total")},
                      {kAccepted, upgrades("accepted")},
                      {kUpgradesRefused, upgrades("refused")},
                      {kFailed, upgrades("failed")},
                      {kTunnelLost, ends("client_lost") + ends("backend_lost")},
                      {kBackendRestarts, samples.sum("probegate_backend_restarts_total")}};
  reading.refused = samples.by_label("probegate_refused_total", "reason");
  reading.check_failures = samples.by_label("probegate_check_failures_total", "check");
  if (samples.has("process_resident_memory_bytes"))
    reading.rss_bytes = samples.sum("process_resident_memory_bytes");
  reading.tunnels = samples.sum("probegate_tunnels");
  return reading;
}

// Ignores the counters of checks, because a reload may remove checks.
bool Reading::fell_below(const Reading& before) const {
  return std::any_of(before.counters.begin(), before.counters.end(),
                     [&](const auto& counter) { return value_of(counters, counter.first) < counter.second; });
}

void Row::add(const Reading& before, const Reading& now, bool restarted) {
  const Reading nothing;
  const Reading& base = restarted ? nothing : before;
  add_growth(counts, base.counters, now.counters);
  add_growth(refused, base.refused, now.refused);
  add_growth(check_failures, base.check_failures, now.check_failures);
  restarts += restarted ? 1 : 0;
  if (now.rss_bytes) rss_bytes = std::max(rss_bytes.value_or(0), *now.rss_bytes);
  tunnels = std::max(tunnels, now.tunnels);
}

void Row::merge(const Row& later) {
  length += later.length;
  add_all(counts, later.counts);
  add_all(refused, later.refused);
  add_all(check_failures, later.check_failures);
  if (later.rss_bytes) rss_bytes = std::max(rss_bytes.value_or(0), *later.rss_bytes);
  tunnels = std::max(tunnels, later.tunnels);
  restarts += later.restarts;
  unreachable += later.unreachable;
  if (state.empty() || (state == "ready" && !later.state.empty())) state = later.state;
}

double Row::count(const char* name) const { return value_of(counts, name); }

config::Span Row::span() const {
  return {.length = length,
          .messages = count(kMessages),
          .requests = count(kRequests),
          .refused = refused_total(),
          .upgrades_accepted = count(kAccepted),
          .upgrades_refused = count(kUpgradesRefused),
          .upgrades_failed = count(kFailed),
          .tunnel_lost = count(kTunnelLost),
          .check_failures = failures_total(),
          .backend_restarts = count(kBackendRestarts),
          .tunnels = tunnels,
          .rss_bytes = rss_bytes,
          .restarts = restarts,
          .unreachable_seconds = to_seconds(unreachable)};
}

double Row::messages_per_minute() const { return span().a_minute(count(kMessages)); }

double Row::refused_total() const { return total(refused); }

double Row::failures_total() const { return total(check_failures); }

}  // namespace probegate::client
