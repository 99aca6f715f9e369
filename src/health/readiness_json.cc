#include "health/readiness_json.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "health/json_parts.h"

namespace probegate::health {
namespace {

Json time_json(const std::optional<WallTime>& time) { return time ? Json(iso8601(*time)) : Json(); }

Json affects_json(const Affects& affects) {
  Json words = Json::array();
  if (affects.startup) words.push_back("startup");
  if (affects.readiness) words.push_back("readiness");
  if (affects.traffic) words.push_back("traffic");
  return words;
}

Json names_json(const std::vector<std::size_t>& indices, const std::vector<CheckPolicy>& policies) {
  Json names = Json::array();
  for (const std::size_t index : indices) names.push_back(policies[index].name);
  return names;
}

Json check_json(const CheckState& state, const std::vector<CheckPolicy>& policies, std::size_t index,
                Details details) {
  const CheckPolicy& policy = policies[index];
  Json json{{"status", to_string(state.status)},
            {"type", policy.type},
            {"target", policy.target},
            {"affects", affects_json(policy.affects)},
            {"latency_ms", millis_json(state.latency)},
            {"since", iso8601(state.since)},
            {"last_run", time_json(state.last_run)},
            {"runs", state.runs},
            {"failures", state.failures},
            {"consecutive_failures", state.consecutive_failures},
            {"startup_seconds", seconds_json(state.startup)},
            {"error", error_json(state.error, details)}};
  if (details == Details::summary || policy.target.empty()) json.erase("target");
  if (state.status == CheckStatus::waiting) json["waiting_for"] = names_json(state.waiting_for, policies);
  return json;
}

// An error of the process itself, in the format of a check's error.
std::string process_error(const Snapshot& snapshot) {
  if (snapshot.stuck_loops.empty()) return {};
  const Json error{{"kind", "internal"}, {"message", snapshot.stuck_loops + " blocked for 10 s"}};
  return ",\"error\":" + dump(error);
}

Judgement judge_readiness(const Snapshot& snapshot) {
  if (snapshot.gate == GateState::draining) return {"draining", false};
  if (snapshot.gate == GateState::failed) return {"error", false};
  return snapshot.ready() ? Judgement{"ready", true} : Judgement{"not_ready", false};
}

}  // namespace

Judgement judge(Document document, const Snapshot& snapshot) {
  switch (document) {
    case Document::startup:
      return snapshot.startup_done() ? Judgement{"ready", true} : judge_readiness(snapshot);
    case Document::readiness: return judge_readiness(snapshot);
    case Document::liveness: return snapshot.alive() ? Judgement{"ok", true} : Judgement{"error", false};
  }
  return {"error", false};
}

void SplicedBody::append_to(std::string& out, std::string_view time, std::string_view uptime) const {
  out.append(before_time).append(time).append(before_uptime).append(uptime).append(after_uptime);
}

std::string SplicedBody::text(std::string_view time, std::string_view uptime) const {
  std::string out;
  append_to(out, time, uptime);
  return out;
}

std::string uptime_text(Duration uptime) {
  const auto ms = std::max<Millis::rep>(std::chrono::duration_cast<Millis>(uptime).count(), 0);
  char text[32];
  char* end = std::to_chars(text, text + 24, ms / 1000).ptr;
  *end++ = '.';
  for (const auto digit : {ms / 100 % 10, ms / 10 % 10, ms % 10}) *end++ = static_cast<char>('0' + digit);
  return {text, end};
}

SplicedBody readiness_json(const Snapshot& snapshot, Document document, Details details,
                           std::span<const std::string_view> without) {
  const std::vector<CheckPolicy>& policies = *snapshot.policies;
  std::string passing;
  Json checks = Json::object();
  for (std::size_t i = 0; i < policies.size(); ++i) {
    if (std::find(without.begin(), without.end(), policies[i].name) == without.end()) {
      passing += "," + dump(policies[i].name) + (snapshot.checks[i].passing() ? ":true" : ":false");
    }
    checks[policies[i].name] = check_json(snapshot.checks[i], policies, i, details);
  }
  SplicedBody body;
  body.before_time = "{\"status\":" + dump(judge(document, snapshot).word) + ",\"timestamp\":\"";
  body.before_uptime = "\"" + passing + ",\"gate\":" + dump(to_string(snapshot.gate)) +
                       ",\"waiting_for\":" + dump(names_json(snapshot.waiting_for, policies)) +
                       ",\"uptime_seconds\":";
  body.after_uptime = ",\"startup_seconds\":" + dump(seconds_json(snapshot.startup)) +
                      ",\"checks\":" + dump(checks) + process_error(snapshot) + "}\n";
  return body;
}

namespace {

// The draft has three words. A check that has not passed yet is `fail`, like its boolean, which is false.
std::string_view draft_status(const CheckState& state) {
  if (!state.passing()) return "fail";
  return state.status == CheckStatus::warn ? "warn" : "pass";
}

// If any check is not `pass`, a good document becomes `warn`, which the draft defines as "healthy,
// with some concerns".
std::string_view draft_status(Document document, const Snapshot& snapshot) {
  if (!judge(document, snapshot).ok) return "fail";
  const bool concerns =
      std::any_of(snapshot.checks.begin(), snapshot.checks.end(),
                  [](const CheckState& state) { return state.status != CheckStatus::pass; });
  return concerns ? "warn" : "pass";
}

std::string_view component_type(std::string_view check_type) {
  const bool stores = check_type == "postgres" || check_type == "mysql" || check_type == "redis";
  return stores ? "datastore" : "component";
}

std::string joined(const Json& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name.get<std::string>();
  return text;
}

std::string draft_output(const CheckState& state, const std::vector<CheckPolicy>& policies, Details details) {
  if (state.status == CheckStatus::waiting)
    return "waits for " + joined(names_json(state.waiting_for, policies));
  if (!state.error) return "not checked yet";
  std::string text(to_string(state.error->kind));
  if (details == Details::full) text += ": " + state.error->message;
  return text;
}

}  // namespace

std::string health_json(const Snapshot& snapshot, Document document, Details details,
                        std::string_view version) {
  const std::vector<CheckPolicy>& policies = *snapshot.policies;
  Json json{{"status", draft_status(document, snapshot)}, {"version", version}};
  json["notes"] = Json::array({"gate " + std::string(to_string(snapshot.gate))});
  if (!judge(document, snapshot).ok && !snapshot.waiting_for.empty()) {
    json["output"] = "waiting for " + joined(names_json(snapshot.waiting_for, policies));
  }
  if (!snapshot.stuck_loops.empty()) json["output"] = snapshot.stuck_loops + " blocked for 10 s";
  json["checks"] = Json::object();
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const CheckState& state = snapshot.checks[i];
    Json entry{{"componentId", policies[i].name}, {"componentType", component_type(policies[i].type)}};
    if (state.latency) {
      entry["observedValue"] = millis_json(state.latency);
      entry["observedUnit"] = "ms";
    }
    entry["status"] = draft_status(state);
    if (state.last_run) entry["time"] = time_json(state.last_run);
    if (state.status != CheckStatus::pass) entry["output"] = draft_output(state, policies, details);
    json["checks"][policies[i].name + ":responseTime"] = Json::array({entry});
  }
  return dump(json) + "\n";
}

}  // namespace probegate::health
