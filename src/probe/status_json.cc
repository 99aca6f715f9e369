#include "probe/status_json.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "health/json_parts.h"
#include "probe/client_outcome.h"
#include "probe/drain_and_pause.h"

namespace probegate::probe {
namespace {

using health::Json;

// A check with one of these names has no boolean at the top level; it is under `checks` like the others.
constexpr std::string_view kOurKeys[] = {"schema", "version",  "about",
                                         "starts", "timeline", "recent_runs",
                                         "events", "traffic",  "check_threads_lost",
                                         "pause",  "drain"};

Json starts_json(const std::optional<health::Starts>& starts) {
  if (!starts) return nullptr;
  return {{"total", starts->total},
          {"unclean_ends", starts->unclean_ends},
          {"last_end", starts->last_end.empty() ? Json(nullptr) : Json(starts->last_end)},
          {"recent", starts->recent},
          {"recent_seconds", health::seconds_json(starts->window)},
          {"restart_loop", starts->restart_loop}};
}

Json about_json(const About& about, health::Details details) {
  Json json{{"service", about.service}, {"instance", about.instance}};
  if (details == health::Details::summary) return json;
  json["backend"] = about.backend;
  json["config"] = about.config;
  return json;
}

Json timeline_json(const health::History& history) {
  Json steps = Json::array();
  for (const auto& step : history.timeline()) {
    steps.push_back({{"check", step.check},
                     {"runnable_seconds", health::seconds_json(step.runnable)},
                     {"passed_seconds", health::seconds_json(step.passed)}});
  }
  return {{"gate_open_seconds", health::seconds_json(history.opened_after())}, {"steps", steps}};
}

Json recent_runs_json(const health::Snapshot& snapshot, const Source& source, TimePoint now) {
  Json all = Json::object();
  for (std::size_t i = 0; i < snapshot.checks.size(); ++i) {
    Json runs = Json::array();
    for (const auto& sample : source.history().samples(i)) {
      runs.push_back({{"latency_ms", health::millis_json(sample.latency)}, {"failed", sample.failed}});
    }
    const auto next = source.next_run(i);
    const auto in = next ? std::optional(std::max(*next - now, Duration(0))) : std::nullopt;
    const auto& history = source.history();
    const auto age = [&](std::optional<Duration> since_start) {
      if (since_start) since_start = std::max(now - snapshot.started - *since_start, Duration(0));
      return health::seconds_json(since_start);
    };
    all[(*snapshot.policies)[i].name] = {{"status_age_seconds", age(history.changed(i))},
                                         {"last_run_age_seconds", age(history.last_run(i))},
                                         {"next_run_in_seconds", health::seconds_json(in)},
                                         {"runs", std::move(runs)}};
  }
  return all;
}

Json event_json(const health::Event& event, health::Details details) {
  Json json{{"time", iso8601(event.wall)},
            {"since_start_seconds", health::seconds_json(event.since_start)},
            {"kind", to_string(event.kind)}};
  if (!event.check.empty()) json["check"] = event.check;
  if (!event.target.empty() && details == health::Details::full) json["target"] = event.target;
  if (!event.from.empty()) json["from"] = event.from;
  if (!event.to.empty()) json["to"] = event.to;
  if (!event.waiting_for.empty()) json["waiting_for"] = event.waiting_for;
  if (event.error) json["error"] = health::error_json(event.error, details);
  if (!event.message.empty() && details == health::Details::full) json["message"] = event.message;
  if (event.took) json["seconds"] = health::seconds_json(event.took);
  if (event.count > 1) json["count"] = event.count;
  return json;
}

Json traffic_json(const TrafficReport& report) {
  using metrics::LabelSet;
  Json messages = Json::object();
  Json upgrades = Json::object();
  Json refused = Json::object();  // reasons that never occurred are left out
  for (std::size_t i = 0; i < metrics::label_count<metrics::Direction>; ++i) {
    messages[LabelSet<metrics::Direction>::words[i]] =
        report.total.messages[static_cast<metrics::Direction>(i)];
  }
  for (std::size_t i = 0; i < metrics::label_count<metrics::UpgradeResult>; ++i) {
    upgrades[LabelSet<metrics::UpgradeResult>::words[i]] =
        report.total.upgrades[static_cast<metrics::UpgradeResult>(i)];
  }
  for (std::size_t i = 0; i < metrics::label_count<metrics::Reason>; ++i) {
    const auto count = report.total.refused[static_cast<metrics::Reason>(i)];
    if (count > 0) refused[LabelSet<metrics::Reason>::words[i]] = count;
  }
  Json recent = Json::array();
  for (const auto& some : report.refusals) {
    recent.push_back(
        {{"time", iso8601(some.wall)}, {"reason", metrics::to_string(some.reason)}, {"count", some.count}});
  }
  const auto& breaker = report.auth_breaker_open;
  return {{"concerns", concerns(report)},
          {"last_minute", last_minute_json(report.minute)},
          {"auth_breaker", breaker ? Json(*breaker ? "open" : "closed") : Json()},
          {"connections", connections_json(report.connections)},
          {"tunnels", report.total.tunnels},
          {"held", report.total.held},
          {"messages_per_minute", report.minute.messages},
          {"requests_per_minute", report.minute.requests},
          {"refused_per_minute", report.minute.refused},
          {"requests_total", report.total.requests},
          {"messages_total", messages},
          {"upgrades_total", upgrades},
          {"refused_total", refused},
          {"recent_refusals", recent}};
}

}  // namespace

std::string status_json(const health::Snapshot& snapshot, const Source& source, health::Details details,
                        std::string_view version, TimePoint now, WallTime wall) {
  Json events = Json::array();
  for (const auto& event : source.history().events()) events.push_back(event_json(event, details));
  const TrafficReport traffic = source.traffic();
  const Json more{{"schema", kStatusSchema},
                  {"version", version},
                  {"about", about_json(source.about(), details)},
                  {"starts", starts_json(source.history().starts())},
                  {"timeline", timeline_json(source.history())},
                  {"recent_runs", recent_runs_json(snapshot, source, now)},
                  {"events", std::move(events)},
                  {"traffic", traffic_json(traffic)},
                  {"pause", pause_json(snapshot, details)},
                  {"drain", drain_json(snapshot, traffic.total.busy, details)},
                  {"check_threads_lost", source.lost_check_threads()}};
  std::string text = health::readiness_json(snapshot, health::Document::readiness, details, kOurKeys)
                         .text(iso8601(wall), health::uptime_text(now - snapshot.started));
  text.resize(text.rfind('}'));  // more keys are appended
  return text + "," + health::dump(more).substr(1) + "\n";
}

}  // namespace probegate::probe
