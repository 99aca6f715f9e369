#include "probe/client_outcome.h"

#include <nlohmann/json.hpp>

namespace probegate::probe {
namespace {

using metrics::CodeClass;
using metrics::LabelSet;
using metrics::LastMinute;
using metrics::Reason;
using metrics::UpgradeResult;
using Json = nlohmann::ordered_json;

constexpr CodeClass kShown[] = {CodeClass::success, CodeClass::redirection, CodeClass::client_error,
                                CodeClass::server_error};

bool is_failure(Reason reason) {
  return reason == Reason::backend_unreachable || reason == Reason::backend_timeout ||
         reason == Reason::backend_error;
}

// The causes of refused or failed upgrades with their numbers, without zeros.
Json causes(const LastMinute& minute, bool failed) {
  Json json = Json::object();
  for (std::size_t i = 0; i < metrics::label_count<CodeClass> && failed; ++i) {
    const auto count = minute.upgrades_failed.at(i);
    if (count > 0) json["backend_" + std::string(LabelSet<CodeClass>::words[i])] = count;
  }
  for (std::size_t i = 0; i < metrics::label_count<Reason>; ++i) {
    const auto count = minute.upgrades_refused.at(i);
    if (count > 0 && is_failure(static_cast<Reason>(i)) == failed) json[LabelSet<Reason>::words[i]] = count;
  }
  return json;
}

std::string causes_text(const LastMinute& minute, bool failed) {
  std::string text;
  const Json all = causes(minute, failed);
  for (const auto& [word, count] : all.items()) {
    text += (text.empty() ? " (" : ", ") + count.dump() + " " + word;
  }
  return text.empty() ? text : text + ")";
}

}  // namespace

std::string upgrades_text(const LastMinute& minute) {
  const auto number = [&](UpgradeResult result) { return std::to_string(minute.upgrades[result]); };
  return number(UpgradeResult::accepted) + " accepted, " + number(UpgradeResult::refused) + " refused" +
         causes_text(minute, false) + ", " + number(UpgradeResult::failed) + " failed" +
         causes_text(minute, true);
}

std::string requests_text(const LastMinute& minute) {
  std::string text;
  for (const auto code_class : kShown) {
    text += (text.empty() ? "" : ", ") + std::to_string(minute.requests_by_class[code_class]) + " ";
    text += to_string(code_class);
  }
  return text;
}

std::string connections_text(const metrics::ConnectionLimit& limit) {
  if (limit.in_force == 0) return {};
  std::string text = std::to_string(limit.open) + " open, limit in force " + std::to_string(limit.in_force);
  if (limit.lowered() && limit.configured > 0) {
    text += " of " + std::to_string(limit.configured) + " (the limit of open files allows no more)";
  }
  return text;
}

std::vector<std::string> concerns(const TrafficReport& report) {
  std::vector<std::string> all;
  if (report.minute.most_upgrades_fail()) {
    all.emplace_back("most upgrades of the last minute failed or were refused");
  }
  if (report.minute.most_requests_fail()) {
    all.emplace_back("most requests of the last minute failed or were refused");
  }
  if (report.auth_breaker_open.value_or(false)) {
    all.emplace_back("the auth breaker is open: the auth service is not asked");
  }
  if (report.connections.reached()) {
    all.emplace_back("the connection limit is reached: new connections are refused");
  }
  return all;
}

Json last_minute_json(const LastMinute& minute) {
  Json upgrades = Json::object();
  for (std::size_t i = 0; i < metrics::label_count<UpgradeResult>; ++i) {
    upgrades[LabelSet<UpgradeResult>::words[i]] = minute.upgrades.at(i);
  }
  upgrades["refused_by"] = causes(minute, false);
  upgrades["failed_by"] = causes(minute, true);
  Json requests = Json::object();
  for (const auto code_class : kShown) {
    requests[std::string(to_string(code_class))] = minute.requests_by_class[code_class];
  }
  return {{"upgrades", std::move(upgrades)},
          {"requests", std::move(requests)},
          {"tunnels_lost", minute.tunnels_lost}};
}

Json connections_json(const metrics::ConnectionLimit& limit) {
  return {{"open", limit.open}, {"in_force", limit.in_force}, {"configured", limit.configured}};
}

}  // namespace probegate::probe
