#include "client/running_state.h"

#include <chrono>
#include <cmath>

#include "base/text.h"
#include "client/terminal.h"

namespace probegate::client {
namespace {

using Json = nlohmann::ordered_json;

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? printable(found->get<std::string>()) : "";
}

std::optional<double> number_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}

std::vector<std::string> texts_at(const Json& object, const char* key) {
  std::vector<std::string> texts;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return texts;
  for (const auto& item : *found) {
    if (item.is_string()) texts.push_back(printable(item.get<std::string>()));
  }
  return texts;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// An empty object if the key is missing.
const Json& object_at(const Json& object, const char* key) {
  static const Json none = Json::object();
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : none;
}

std::string reason_text(const Json& check) {
  const auto error = check.find("error");
  if (error == check.end() || !error->is_object()) return "";
  std::string text = text_at(*error, "kind");
  if (const auto state = text_at(*error, "sqlstate"); !state.empty()) text += " (SQLSTATE " + state + ")";
  if (const auto message = text_at(*error, "message"); !message.empty()) text += ": " + message;
  return text;
}

std::string why_text(const Json& check) {
  std::string text = reason_text(check);
  if (text.empty()) {
    const auto needs = texts_at(check, "waiting_for");
    return needs.empty() ? "" : "waits for " + joined(needs);
  }
  if (const auto row = number_at(check, "consecutive_failures"); row && *row > 1) {
    text += " (" + std::to_string(static_cast<long long>(*row)) + " in a row)";
  }
  return text;
}

std::string traffic_text(const Json& document) {
  const auto traffic = document.find("traffic");
  if (traffic == document.end() || !traffic->is_object()) return "";
  std::string text;
  const auto add = [&](const char* key, const char* words) {
    const auto number = number_at(*traffic, key);
    if (number) text += (text.empty() ? "" : ", ") + std::to_string(std::llround(*number)) + " " + words;
  };
  add("tunnels", "tunnels");
  add("held", "held");
  add("messages_per_minute", "messages");
  add("requests_per_minute", "requests");
  add("refused_per_minute", "refused in the last minute");
  return text;
}

// {"a": 3, "b": 4} as "3 a, 4 b".
std::string numbers_text(const Json& numbers) {
  std::string text;
  for (const auto& [word, number] : numbers.items()) {
    if (!number.is_number()) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(std::llround(number.get<double>())) + " " +
            printable(word);
  }
  return text;
}

std::string upgrades_text(const Json& upgrades) {
  std::string text;
  for (const char* word : {"accepted", "refused", "failed"}) {
    const auto number = number_at(upgrades, word);
    if (!number) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(std::llround(*number)) + " " + word;
    const auto why = numbers_text(object_at(upgrades, (std::string(word) + "_by").c_str()));
    if (!why.empty()) text += " (" + why + ")";
  }
  return text;
}

std::string connections_text(const Json& connections) {
  const auto whole = [&](const char* key) { return std::llround(number_at(connections, key).value_or(0)); };
  if (whole("in_force") == 0) return "";
  std::string text =
      std::to_string(whole("open")) + " open, limit in force " + std::to_string(whole("in_force"));
  if (whole("configured") > whole("in_force")) text += " of " + std::to_string(whole("configured"));
  return text;
}

std::vector<std::string> clients_lines(const Json& traffic) {
  std::vector<std::string> lines;
  const auto add = [&](const char* what, const std::string& text) {
    if (!text.empty()) lines.push_back(what + text);
  };
  const Json& minute = object_at(traffic, "last_minute");
  add("upgrades in the last minute: ", upgrades_text(object_at(minute, "upgrades")));
  add("requests in the last minute: ", numbers_text(object_at(minute, "requests")));
  add("auth breaker: ", text_at(traffic, "auth_breaker"));
  add("connections: ", connections_text(object_at(traffic, "connections")));
  return lines;
}

std::string restarts_text(const Json& document) {
  const auto starts = document.find("starts");
  if (starts == document.end() || !starts->is_object()) return "";
  const auto loop = starts->find("restart_loop");
  if (loop == starts->end() || !loop->is_boolean() || !loop->get<bool>()) return "";
  const auto whole = [&](const char* key) { return std::llround(number_at(*starts, key).value_or(0)); };
  return "restart loop: " + std::to_string(whole("recent")) + " starts within " +
         format_duration(std::chrono::seconds(whole("recent_seconds"))) + ", the previous run ended as " +
         text_at(*starts, "last_end");
}

CheckLine read_check(const std::string& name, const Json& check, std::optional<WallTime> now) {
  CheckLine line;
  line.name = printable(name);
  if (!check.is_object()) return line;
  line.status = text_at(check, "status");
  line.latency_ms = number_at(check, "latency_ms");
  const auto since = parse_iso8601(text_at(check, "since"));
  if (since && now) line.since_seconds = std::chrono::duration<double>(*now - *since).count();
  line.target = text_at(check, "target");
  line.why = why_text(check);
  line.reason = reason_text(check);
  return line;
}

std::string by_hand_text(const Json& document) {
  const auto by = [](const Json& what) {
    const auto who = text_at(what, "by");
    return who.empty() ? who : " by " + who;
  };
  if (const Json& drain = object_at(document, "drain"); !drain.empty()) {
    const auto left = std::llround(number_at(drain, "left").value_or(0));
    return "draining" + by(drain) + " until " + text_at(drain, "deadline") + ", " + std::to_string(left) +
           (left == 1 ? " session left" : " sessions left");
  }
  const Json& pause = object_at(document, "pause");
  if (pause.empty()) return {};
  const auto message = text_at(pause, "message");
  return "paused" + by(pause) + " until " + text_at(pause, "until") + (message.empty() ? "" : ": " + message);
}

}  // namespace

Result<RunningState> read_running_state(const loop::HttpResponse& response) {
  RunningState state;
  state.document = Json::parse(response.body, nullptr, false);
  if (!state.document.is_object() || text_at(state.document, "status").empty()) {
    return failure("this is not the probe port of probegate (status " + std::to_string(response.status) +
                   ")");
  }
  const Json& document = state.document;
  state.status = text_at(document, "status");
  state.gate = text_at(document, "gate");
  state.waiting_for = texts_at(document, "waiting_for");
  state.uptime_seconds = number_at(document, "uptime_seconds");
  state.startup_seconds = number_at(document, "startup_seconds");
  state.error = text_at(document, "error");
  state.restarts = restarts_text(document);
  state.by_hand = by_hand_text(document);
  state.traffic = traffic_text(document);
  state.clients = clients_lines(object_at(document, "traffic"));
  state.concerns = texts_at(object_at(document, "traffic"), "concerns");
  const auto checks = document.find("checks");
  if (checks == document.end() || !checks->is_object()) return state;
  const auto now = parse_iso8601(text_at(document, "timestamp"));
  const Json& runs = object_at(document, "recent_runs");
  for (const auto& [name, check] : checks->items()) {
    state.checks.push_back(read_check(name, check, now));
    // Prefer the age by its monotonic clock: the wall clock may have been set.
    const auto age = number_at(object_at(runs, name.c_str()), "status_age_seconds");
    if (age) state.checks.back().since_seconds = age;
  }
  return state;
}

std::string headline(const RunningState& state) {
  std::string text = state.status;
  if (!state.gate.empty()) text += ", gate " + state.gate;
  if (!state.waiting_for.empty()) {
    const auto names = joined(state.waiting_for);
    text += state.gate == "open" ? ", not ready because of " + names + "; new clients are still let in"
                                 : ", waiting for " + names;
  }
  if (!state.error.empty()) text += ", " + state.error;
  return text;
}

}  // namespace probegate::client
