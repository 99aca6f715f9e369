#include "client/report_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace probegate::client {
namespace {

using Json = nlohmann::ordered_json;

std::string whole(double number) { return std::to_string(std::llround(number)); }

std::string ratio_text(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", ratio);
  return text;
}

std::string memory_text(std::optional<double> bytes) {
  if (!bytes) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", *bytes / (1024 * 1024));
  return text;
}

std::string seconds_text(Duration duration) {
  return format_duration(std::chrono::round<std::chrono::milliseconds>(duration));
}

struct Column {
  const char* head;
  std::string (*cell)(const Row& row);
};

constexpr Column kColumns[] = {
    {"minute", [](const Row& row) { return std::to_string(row.minute); }},
    {"seconds", [](const Row& row) { return whole(to_seconds(row.length)); }},
    {"state", [](const Row& row) { return row.state; }},
    {"messages/min", [](const Row& row) { return whole(row.messages_per_minute()); }},
    {"upgrades ok", [](const Row& row) { return whole(row.count(kAccepted)); }},
    {"refused", [](const Row& row) { return whole(row.count(kUpgradesRefused)); }},
    {"failed", [](const Row& row) { return whole(row.count(kFailed)); }},
    {"refused ratio", [](const Row& row) { return ratio_text(row.span().refused_ratio()); }},
    {"check failures", [](const Row& row) { return whole(row.failures_total()); }},
    {"memory", [](const Row& row) { return memory_text(row.rss_bytes); }},
    {"tunnels", [](const Row& row) { return whole(row.tunnels); }},
    {"lost", [](const Row& row) { return whole(row.count(kTunnelLost)); }},
    {"restarts", [](const Row& row) { return std::to_string(row.restarts); }},
};

// Right-aligned in columns that are wide enough for the usual numbers.
std::string padded(const std::string& text, const char* head) {
  constexpr std::size_t kNarrowest = 9;
  const std::size_t width = std::max(kNarrowest, std::string_view(head).size());
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

Row sum_of(const std::vector<Row>& rows) {
  Row sum;
  for (const auto& row : rows) sum.merge(row);
  return sum;
}

std::string parts_text(const std::map<std::string, double>& parts, double of) {
  std::string text;
  for (const auto& [name, value] : parts) {
    text += (text.empty() ? "" : ", ") + printable(name) + " " + whole(value);
    if (of > 0) text += " (" + ratio_text(value / of) + ")";
  }
  return text.empty() ? "none" : text;
}

std::string minutes_text(const std::vector<int>& minutes) {
  std::string text = minutes.size() == 1 ? "minute " : "minutes ";
  constexpr std::size_t kMost = 10;
  for (std::size_t i = 0; i < std::min(kMost, minutes.size()); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(minutes[i]);
  }
  if (minutes.size() > kMost) text += " and " + std::to_string(minutes.size() - kMost) + " more";
  return text;
}

// The value that violated the limit most.
std::optional<double> worst(const Report& report, const config::Condition& condition) {
  std::optional<double> found;
  for (const auto& row : report.rows) {
    const auto value = condition.value(row.span());
    if (!value || !condition.holds(row.span())) continue;
    if (!found || (condition.looks_down() ? *value < *found : *value > *found)) found = value;
  }
  return found;
}

std::string number_text(double number) {
  char text[48];
  std::snprintf(text, sizeof text, "%.10g", number);
  return text;
}

Json row_json(const Row& row) {
  const double requests = std::max(row.count(kRequests), row.refused_total());
  Json refused = Json::object();
  for (const auto& [reason, count] : row.refused) {
    refused[reason] = {{"count", std::llround(count)}, {"ratio", requests > 0 ? count / requests : 0}};
  }
  Json failures = Json::object();
  for (const auto& [check, count] : row.check_failures) failures[check] = std::llround(count);
  return {{"minute", row.minute},
          {"from", iso8601(row.from)},
          {"seconds", to_seconds(row.length)},
          {"state", row.state},
          {"messages", std::llround(row.count(kMessages))},
          {"messages_per_minute", row.messages_per_minute()},
          {"requests", std::llround(row.count(kRequests))},
          {"upgrades",
           {{"accepted", std::llround(row.count(kAccepted))},
            {"refused", std::llround(row.count(kUpgradesRefused))},
            {"failed", std::llround(row.count(kFailed))}}},
          {"refused", refused},
          {"refused_ratio", row.span().refused_ratio()},
          {"check_failures", std::llround(row.failures_total())},
          {"check_failures_by_check", failures},
          {"rss_bytes", row.rss_bytes ? Json(std::llround(*row.rss_bytes)) : Json(nullptr)},
          {"tunnels", std::llround(row.tunnels)},
          {"tunnel_lost", std::llround(row.count(kTunnelLost))},
          {"restarts", row.restarts},
          {"backend_restarts", std::llround(row.count(kBackendRestarts))},
          {"unreachable_seconds", to_seconds(row.unreachable)}};
}

}  // namespace

std::vector<int> Report::held_in(const config::Condition& condition) const {
  std::vector<int> minutes;
  for (const auto& row : rows) {
    if (condition.holds(row.span())) minutes.push_back(row.minute);
  }
  return minutes;
}

bool Report::failed() const {
  return std::any_of(conditions.begin(), conditions.end(),
                     [this](const config::Condition& condition) { return !held_in(condition).empty(); });
}

std::vector<config::Condition> with_reachability(std::vector<config::Condition> conditions) {
  const std::string name = "unreachable_seconds";
  const bool asked = std::any_of(conditions.begin(), conditions.end(),
                                 [&](const config::Condition& condition) { return condition.name == name; });
  if (!asked) conditions.push_back({name + ">0", name, config::Condition::Comparison::above, 0});
  return conditions;
}

std::string report_head(const Report& report) {
  std::string text = "# probegate report: " + report.url + ", " + seconds_text(report.planned) + " from " +
                     iso8601(report.from) + "\n\n|";
  std::string rule = "|";
  for (const auto& column : kColumns) {
    const std::string head = padded(column.head, column.head);
    text += " " + head + " |";
    rule += std::string(head.size() + 1, '-') + ":|";
  }
  return text + "\n" + rule + "\n";
}

std::string report_row(const Row& row) {
  std::string text = "|";
  for (const auto& column : kColumns) text += " " + padded(column.cell(row), column.head) + " |";
  return text + "\n";
}

std::string report_end(const Report& report, const Paint& paint) {
  const Row sum = sum_of(report.rows);
  const double requests = std::max(sum.count(kRequests), sum.refused_total());
  std::string text = "\n";
  for (const auto& note : report.notes) text += "- " + note + "\n";
  text += "- requests: " + whole(requests) + "; refused: " + parts_text(sum.refused, requests) + "\n";
  text += "- check failures: " + parts_text(sum.check_failures, 0) + "\n";
  if (report.interrupted) text += "- interrupted after " + seconds_text(sum.length) + "\n";
  text += "\n";
  for (const auto& condition : report.conditions) {
    const auto minutes = report.held_in(condition);
    if (minutes.empty()) continue;
    text += "- " + condition.text + " held in " + minutes_text(minutes) + ", at worst " +
            number_text(worst(report, condition).value_or(0)) + "\n";
  }
  const bool bad = report.failed();
  const std::string why = bad || report.asked ? "" : " (no conditions given with --fail-on)";
  return text + "Verdict: " + paint(bad ? Color::bad : Color::good, bad ? "fail" : "pass") + why + "\n";
}

Json report_json(const Report& report) {
  Json rows = Json::array();
  for (const auto& row : report.rows) rows.push_back(row_json(row));
  Json conditions = Json::array();
  for (const auto& condition : report.conditions) {
    const auto value = worst(report, condition);
    conditions.push_back({{"condition", condition.text},
                          {"held_in", report.held_in(condition)},
                          {"worst", value ? Json(*value) : Json(nullptr)}});
  }
  return {{"url", report.url},
          {"from", iso8601(report.from)},
          {"seconds", to_seconds(sum_of(report.rows).length)},
          {"interrupted", report.interrupted},
          {"rows", rows},
          {"notes", report.notes},
          {"conditions", conditions},
          {"verdict", report.failed() ? "fail" : "pass"}};
}

}  // namespace probegate::client
