#include "checks/url_parameters.h"

#include <algorithm>

#include "base/text.h"

namespace probegate::checks {
namespace {

constexpr std::string_view kIgnored[] = {
    "allow_public_key_retrieval",
    "application_name",
    "auto_reconnect",
    "autocommit",
    "binary_parameters",
    "cache_prep_stmts",
    "character_encoding",
    "charset",
    "client_name",
    "collation",
    "connect_timeout",
    "connection_limit",
    "connection_timeout",
    "conv",
    "create_database_if_not_exist",
    "date_strings",
    "db_type",
    "decode_responses",
    "default_query_exec_mode",
    "description_cache_capacity",
    "dial_timeout",
    "encoding",
    "encoding_errors",
    "family",
    "health_check_interval",
    "idle_timeout",
    "init",
    "interpolate_params",
    "lib_name",
    "lib_version",
    "load_balance_hosts",
    "loc",
    "login_timeout",
    "max_allowed_packet",
    "max_connections",
    "max_idle_connections",
    "max_idle_time",
    "max_lifetime",
    "max_open_connections",
    "max_overflow",
    "max_retries",
    "max_retry_backoff",
    "min_connections",
    "min_idle_conns",
    "min_protocol_version",
    "min_retry_backoff",
    "multi_statements",
    "native_password",
    "parse_time",
    "pgbouncer",
    "pool",
    "pool_fifo",
    "pool_health_check_period",
    "pool_max_conn_idle_time",
    "pool_max_conn_lifetime",
    "pool_max_conn_lifetime_jitter",
    "pool_max_conns",
    "pool_min_conns",
    "pool_min_idle_conns",
    "pool_mode",
    "pool_name",
    "pool_pre_ping",
    "pool_recycle",
    "pool_size",
    "pool_timeout",
    "prefer_query_mode",
    "prepare_threshold",
    "prepared",
    "prepared_statement_cache_queries",
    "prepared_statement_cache_size",
    "prepared_statements",
    "protocol",
    "queue_timeout",
    "read_timeout",
    "reconnect",
    "retry_on_error",
    "retry_on_timeout",
    "rewrite_batched_inserts",
    "rewrite_batched_statements",
    "schema_cache_size",
    "server_timezone",
    "serverversion",
    "single_connection_client",
    "socket_connect_timeout",
    "socket_keepalive",
    "socket_timeout",
    "socket_type",
    "sslnegotiation",
    "statement_cache_capacity",
    "statement_cache_mode",
    "statement_cache_size",
    "statement_timeout",
    "stringtype",
    "tcp_keep_alive",
    "time_zone",
    "timeout",
    "timezone",
    "tiny_int1is_bit",
    "uselibpqcompat",
    "use_unicode",
    "wait_timeout",
    "write_timeout",
    "zero_date_time_behavior",
};

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && text.size() <= 40 && letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
}

}  // namespace

std::span<const std::string_view> ignored_parameters() { return kIgnored; }

std::string plain_name(std::string_view name) {
  auto plain = to_lower(name);
  std::erase_if(plain, [](char c) { return c == '_' || c == '-'; });
  return plain;
}

bool is_ignored_parameter(std::string_view name) {
  const auto plain = plain_name(name);
  return std::any_of(std::begin(kIgnored), std::end(kIgnored),
                     [&](std::string_view ignored) { return plain_name(ignored) == plain; });
}

std::optional<bool> as_boolean(std::string_view value) {
  for (const std::string_view word : {"true", "yes", "on", "1"}) {
    if (iequals(value, word)) return true;
  }
  for (const std::string_view word : {"false", "no", "off", "0"}) {
    if (iequals(value, word)) return false;
  }
  return std::nullopt;
}

std::string ParameterErrors::unknown(std::string_view name) const {
  return wrong(name, "is unknown; remove it, or use the corresponding key of the check");
}

std::string ParameterErrors::wrong(std::string_view name, std::string_view what) const {
  if (!secret_seen_ && is_name(name)) return "the parameter " + std::string(name) + " " + std::string(what);
  return "a parameter after the password " + std::string(what) + "; an & in a password is written %26";
}

}  // namespace probegate::checks
