#include "checks/redis_answers.h"

#include "base/text.h"

namespace probegate::checks {

using health::CheckResult;
using health::FailKind;

namespace {

// The remedy for errors whose message does not contain one.
std::string advice(std::string_view question, std::string_view prefix) {
  const bool about_key = question == "SET" || question == "GET";
  if (prefix == "NOPERM" && about_key) return " (the user needs +set +get ~probegate:*, or write: false)";
  if (prefix == "NOPERM") return " (the user needs +" + to_lower(question) + ")";
  if (prefix == "READONLY") return " (write: false checks a replica without writing)";
  if (prefix == "MOVED" || prefix == "ASK") {
    return " (the server is a cluster node; set mode: cluster)";
  }
  if (prefix == "NOAUTH" && question == "SENTINEL") return " (set sentinel_password)";
  if (prefix == "NOAUTH") return " (the server requires a password)";
  return "";
}

// A refused login explains more than a server that is down.
int weight(const CheckResult& result) {
  if (result.verdict != health::Verdict::fail || !result.error) return 0;
  switch (result.error->kind) {
    case FailKind::resolve:
    case FailKind::connect: return 1;
    case FailKind::timeout: return 2;
    default: return 3;
  }
}

}  // namespace

bool tells_more(const CheckResult& a, const CheckResult& b) { return weight(a) > weight(b); }

CheckResult redis_error(const std::string& command, const std::string& text) {
  const auto prefix = redis_error_prefix(text);
  const std::string told = command + ": " + text + advice(command, prefix);
  for (const std::string_view refusal : {"NOAUTH", "WRONGPASS", "NOPERM", "DENIED"}) {
    if (prefix == refusal) return CheckResult::fail(FailKind::auth, told);
  }
  // The server answers with the reason why it cannot serve: LOADING, MASTERDOWN, BUSY, READONLY, MISCONF,
  // OOM, NOREPLICAS, CLUSTERDOWN, MOVED. Only "ERR" depends on the command.
  if (prefix != "ERR") return CheckResult::fail(FailKind::answer, told);
  if (redis_server_is_full(text)) return CheckResult::fail(FailKind::connect, text);
  if (command == "AUTH") return CheckResult::fail(FailKind::auth, told);
  if (command == "SELECT") return CheckResult::fail(FailKind::config, told);
  return CheckResult::fail(FailKind::answer, told);
}

std::string_view redis_error_prefix(std::string_view text) { return text.substr(0, text.find(' ')); }

bool redis_server_is_full(std::string_view error) {
  return error.find("max number of clients") != std::string_view::npos;
}

std::string_view redis_info_value(std::string_view info, std::string_view name) {
  for (auto line : split(info, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with(name) && line.substr(name.size()).starts_with(':'))
      return line.substr(name.size() + 1);
  }
  return {};
}

// A replica whose link to the master is down still answers with old data; only INFO shows the link.
std::optional<CheckResult> judge_redis_role(RedisRole wanted, std::string_view info) {
  const auto role = redis_info_value(info, "role");
  if (role != "master" && role != "slave") {
    return CheckResult::fail(FailKind::protocol, "INFO replication names no role");
  }
  const bool is_replica = role == "slave";
  if (is_replica != (wanted == RedisRole::replica)) {
    return CheckResult::fail(FailKind::answer, is_replica ? "the server is a replica, expected a master"
                                                          : "the server is a master, expected a replica");
  }
  if (!is_replica || redis_info_value(info, "master_link_status") == "up") return std::nullopt;
  std::string message = "the replica's link to its master is down";
  const auto down_for = parse_decimal<int>(redis_info_value(info, "master_link_down_since_seconds"));
  if (down_for) message += ", for " + std::to_string(*down_for) + " s";
  return CheckResult::fail(FailKind::answer, message);
}

}  // namespace probegate::checks
