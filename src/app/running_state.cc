#include "app/running_state.h"

#include <chrono>
#include <cmath>
#include <cstdio>

#include "app/terminal.h"
#include "base/text.h"

namespace probegate::app {
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

// Seconds since the epoch; the form is iso8601()'s.
std::optional<double> parse_time(const std::string& text) {
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0;
  double second = 0;
  if (std::sscanf(text.c_str(), "%d-%u-%uT%u:%u:%lfZ", &year, &month, &day, &hour, &minute, &second) != 6) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return static_cast<double>(days) * 86'400 + hour * 3600 + minute * 60 + second;
}

std::string why_text(const Json& check) {
  const auto error = check.find("error");
  if (error == check.end() || !error->is_object()) {
    const auto needs = texts_at(check, "waiting_for");
    return needs.empty() ? "" : "waits for " + joined(needs);
  }
  std::string text = text_at(*error, "kind");
  if (const auto state = text_at(*error, "sqlstate"); !state.empty()) text += " (SQLSTATE " + state + ")";
  if (const auto message = text_at(*error, "message"); !message.empty()) text += ": " + message;
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

std::string restarts_text(const Json& document) {
  const auto starts = document.find("starts");
  if (starts == document.end() || !starts->is_object()) return "";
  const auto loop = starts->find("restart_loop");
  if (loop == starts->end() || !loop->is_boolean() || !loop->get<bool>()) return "";
  const auto whole = [&](const char* key) { return std::llround(number_at(*starts, key).value_or(0)); };
  return "restart loop: " + std::to_string(whole("recent")) + " starts within " +
         format_duration(std::chrono::seconds(whole("recent_seconds"))) + ", the one before this ended as " +
         text_at(*starts, "last_end");
}

CheckLine read_check(const std::string& name, const Json& check, std::optional<double> now) {
  CheckLine line;
  line.name = printable(name);
  if (!check.is_object()) return line;
  line.status = text_at(check, "status");
  line.latency_ms = number_at(check, "latency_ms");
  const auto since = parse_time(text_at(check, "since"));
  if (since && now) line.since_seconds = *now - *since;
  line.why = why_text(check);
  return line;
}

}  // namespace

Result<RunningState> read_running_state(const loop::HttpResponse& response) {
  RunningState state;
  state.document = Json::parse(response.body, nullptr, false);
  if (!state.document.is_object() || text_at(state.document, "status").empty()) {
    return failure("what answers there (status " + std::to_string(response.status) +
                   ") is not the probe port of probegate");
  }
  const Json& document = state.document;
  state.status = text_at(document, "status");
  state.gate = text_at(document, "gate");
  state.waiting_for = texts_at(document, "waiting_for");
  state.uptime_seconds = number_at(document, "uptime_seconds");
  state.startup_seconds = number_at(document, "startup_seconds");
  state.error = text_at(document, "error");
  state.restarts = restarts_text(document);
  state.traffic = traffic_text(document);
  const auto checks = document.find("checks");
  if (checks == document.end() || !checks->is_object()) return state;
  const auto now = parse_time(text_at(document, "timestamp"));
  for (const auto& [name, check] : checks->items()) state.checks.push_back(read_check(name, check, now));
  return state;
}

std::string headline(const RunningState& state) {
  std::string text = state.status;
  if (!state.gate.empty()) text += ", gate " + state.gate;
  if (!state.waiting_for.empty()) text += ", waiting for " + joined(state.waiting_for);
  if (!state.error.empty()) text += ", " + state.error;
  return text;
}

}  // namespace probegate::app
