#include "config/wrong_names.h"

#include <algorithm>

#include "base/nearest.h"
#include "base/text.h"
#include "config/describe.h"

namespace probegate::config {
namespace {

struct Name {
  std::string_view written;  // as snake_case() gives it
  std::string_view meant;
};

constexpr Name kKeys[] = {
    // probes of Kubernetes, Docker, Consul, load balancers
    {"period_seconds", "interval"},
    {"period", "interval"},
    {"every", "interval"},
    {"frequency", "interval"},
    {"poll_interval", "interval"},
    {"check_interval", "interval"},
    {"interval_seconds", "interval"},
    {"timeout_seconds", "timeout"},
    {"deadline", "timeout"},
    {"failure_threshold", "fall"},
    {"unhealthy_threshold", "fall"},
    {"max_fails", "fall"},
    {"retries", "fall"},
    {"failures", "fall"},
    {"success_threshold", "rise"},
    {"healthy_threshold", "rise"},
    {"passes", "rise"},
    {"successes", "rise"},
    {"initial_delay_seconds", "initial_delay"},
    {"delay_seconds", "initial_delay"},
    {"start_delay", "initial_delay"},
    {"start_period", "initial_delay"},
    {"start_interval", "startup_interval"},
    {"startup_period", "startup_interval"},
    {"depends_on", "needs"},
    {"depends", "needs"},
    {"dependencies", "needs"},
    {"requires", "needs"},
    {"require", "needs"},
    {"after", "needs"},
    {"wait_for", "needs"},
    {"critical", "affects"},
    {"required", "affects"},
    {"effects", "affects"},
    {"effect", "affects"},
    {"slow_threshold", "slow"},
    {"warn_after", "slow"},
    // addresses and drivers
    {"kind", "type"},
    {"driver", "type"},
    {"check", "type"},
    {"dsn", "url"},
    {"dsn", "address"},
    {"uri", "url"},
    {"uri", "address"},
    {"connection", "url"},
    {"connection_string", "url"},
    {"database_url", "url"},
    {"redis_url", "url"},
    {"endpoint", "url"},
    {"endpoint", "address"},
    {"endpoint", "listen"},
    {"addr", "url"},
    {"addr", "address"},
    {"addr", "listen"},
    {"address", "url"},
    {"address", "listen"},
    {"url", "address"},
    {"url", "backend"},
    {"url", "to"},
    {"host", "address"},
    {"host", "url"},
    {"host", "listen"},
    {"hostname", "host"},
    {"port", "listen"},
    {"port", "address"},
    {"port", "url"},
    {"path", "url"},
    {"http_get", "url"},
    {"tcp_socket", "address"},
    {"username", "user"},
    {"login", "user"},
    {"pass", "password"},
    {"passwd", "password"},
    {"pwd", "password"},
    {"secret", "password"},
    {"database", "dbname"},
    {"db", "dbname"},
    {"db_name", "dbname"},
    {"database_name", "dbname"},
    {"ssl_mode", "sslmode"},
    {"ssl", "tls"},
    {"cacert", "ca_file"},
    {"ca_cert", "ca_file"},
    {"ca", "ca_file"},
    {"cafile", "ca_file"},
    {"root_cert", "ca_file"},
    {"sslrootcert", "ca_file"},
    {"cert", "cert_file"},
    {"key", "key_file"},
    {"sni", "server_name"},
    {"servername", "server_name"},
    {"insecure", "verify"},
    {"insecure_skip_verify", "verify"},
    {"skip_verify", "verify"},
    // queries and expectations
    {"table", "tables"},
    {"relations", "tables"},
    {"sql", "query"},
    {"status", "expect_status"},
    {"status_code", "expect_status"},
    {"status_codes", "expect_status"},
    {"expected_status", "expect_status"},
    {"expected_codes", "expect_status"},
    {"expected_body", "expect_body"},
    {"expected", "expect"},
    {"match", "expect"},
    {"response", "expect"},
    {"json", "expect_json"},
    {"header", "headers"},
    {"http_headers", "headers"},
    {"protocols", "subprotocols"},
    {"subprotocol", "subprotocols"},
    {"verb", "method"},
    {"message", "send"},
    {"payload", "send"},
    {"readonly", "writable"},
    {"read_write", "writable"},
    // proxies
    {"bind", "listen"},
    {"upstream", "backend"},
    {"target", "backend"},
    {"proxy_pass", "backend"},
    {"origin", "origins"},
    {"allowed_origins", "origins"},
    {"cors", "origins"},
    {"threads", "workers"},
    {"worker_processes", "workers"},
    {"max_connections", "connections"},
    {"max_body_size", "body_bytes"},
    {"client_max_body_size", "body_bytes"},
    {"max_header_size", "header_bytes"},
    {"max_header_bytes", "header_bytes"},
    {"keepalive", "idle"},
    {"keep_alive", "idle"},
    {"keepalive_timeout", "idle"},
    {"read", "response"},
    {"read_timeout", "response"},
    {"trusted_proxies", "trust"},
    {"queue", "max"},
    {"size", "max"},
    {"max_size", "max_message"},
    {"max_message_size", "max_message"},
    {"max_payload", "max_message"},
    {"ping", "ping_interval"},
    {"heartbeat", "ping_interval"},
    {"max_age", "max_lifetime"},
    {"lifetime", "max_lifetime"},
    // sections
    {"probe", "probes"},
    {"healthchecks", "checks"},
    {"healthcheck", "checks"},
    {"health_checks", "checks"},
    {"dependency", "checks"},
    {"services", "checks"},
    {"server", "proxy"},
    {"logging", "log"},
    {"logs", "log"},
    {"logger", "log"},
    {"log_level", "log"},
    {"loglevel", "log"},
    {"alerting", "alerts"},
    {"notifications", "alerts"},
    {"webhooks", "alerts"},
    {"shutdown", "drain"},
    {"graceful_shutdown", "drain"},
    {"termination", "drain"},
    {"authentication", "auth"},
    {"authorization", "auth"},
    {"state", "state_file"},
    {"startup", "gate"},
    {"grace", "timeout"},
    {"grace_period", "timeout"},
    {"lame_duck", "delay"},
    {"verbosity", "level"},
    {"severity", "level"},
    {"access_log", "access"},
    {"webhook", "to"},
    {"events", "on"},
    {"true", "on"},  // a YAML 1.1 writer turns a bare `on` into true
    {"receivers", "recipients"},
    {"sender", "from"},
};

constexpr Name kValues[] = {
    // types
    {"postgresql", "postgres"},
    {"pg", "postgres"},
    {"pgsql", "postgres"},
    {"psql", "postgres"},
    {"postgis", "postgres"},
    {"timescaledb", "postgres"},
    {"cockroachdb", "postgres"},
    {"pgbouncer", "postgres"},
    {"database", "postgres"},
    {"sql", "postgres"},
    {"mariadb", "mysql"},
    {"mysql2", "mysql"},
    {"percona", "mysql"},
    {"valkey", "redis"},
    {"valkeys", "redis"},
    {"rediss", "redis"},
    {"keydb", "redis"},
    {"dragonfly", "redis"},
    {"ws", "websocket"},
    {"wss", "websocket"},
    {"websockets", "websocket"},
    {"socket_io", "websocket"},
    {"https", "http"},
    {"rest", "http"},
    {"web", "http"},
    {"url", "http"},
    {"grpcs", "grpc"},
    {"socket", "tcp"},
    {"port", "tcp"},
    {"tcp_socket", "tcp"},
    {"telnet", "tcp"},
    {"nats", "tcp"},
    {"amqp", "tcp"},
    {"rabbitmq", "tcp"},
    {"kafka", "tcp"},
    {"mongo", "tcp"},
    {"mongodb", "tcp"},
    {"memcached", "tcp"},
    {"smtp", "tcp"},
    {"command", "exec"},
    {"script", "exec"},
    // levels
    {"warning", "warn"},
    {"err", "error"},
    {"critical", "error"},
    {"fatal", "error"},
    {"crit", "error"},
    {"notice", "info"},
    {"information", "info"},
    {"trace", "debug"},
    {"verbose", "debug"},
    // platforms
    {"k8s", "kubernetes"},
    {"kube", "kubernetes"},
    {"gke", "kubernetes"},
    {"eks", "kubernetes"},
    {"openshift", "kubernetes"},
    {"cloudrun", "cloud-run"},
    {"gcp", "cloud-run"},
    {"google_cloud_run", "cloud-run"},
    {"compose", "docker"},
    {"docker_compose", "docker"},
    {"podman", "docker"},
    {"container", "docker"},
    {"bare", "none"},
    {"systemd", "none"},
    // others
    {"restart", "fail"},
    {"kill", "exit"},
    {"quit", "exit"},
    {"ignore", "wait"},
    {"never", "wait"},
    {"startup_probe", "startup"},
    {"ready", "readiness"},
    {"requests", "traffic"},
    {"ws", "websocket"},
    {"everything", "all"},
    {"upgrade", "upgrades"},
    {"websocket", "upgrades"},
    {"plain", "text"},
    {"logfmt", "text"},
    {"console", "text"},
    {"errors", "failures"},
    {"off", "none"},
    {"false", "none"},
    {"prod", "production"},
    {"dev", "development"},
    {"primary", "master"},
    {"leader", "master"},
    {"slave", "replica"},
    {"secondary", "replica"},
};

std::string_view meant(std::string_view written, std::span<const std::string_view> allowed,
                       std::span<const Name> table) {
  const auto plain = snake_case(written);
  for (const auto word : allowed) {
    if (snake_case(word) == plain) return word;
  }
  for (const auto& name : table) {
    if (name.written == plain && std::find(allowed.begin(), allowed.end(), name.meant) != allowed.end())
      return name.meant;
  }
  return nearest_word(written, allowed);
}

}  // namespace

std::string_view meant_key(std::string_view written, std::span<const std::string_view> allowed) {
  return meant(written, allowed, kKeys);
}

std::string_view meant_value(std::string_view written, std::span<const std::string_view> allowed) {
  return meant(written, allowed, kValues);
}

std::string value_hint(std::string_view written, std::span<const std::string_view> allowed) {
  const auto word = meant_value(written, allowed);
  return word.empty() ? "" : ", did you mean " + std::string(word) + "?";
}

std::string allowed_hint(std::string_view written, std::span<const std::string_view> allowed) {
  const auto meant = value_hint(written, allowed);
  return (meant.empty() ? "," : meant) + " allowed are " + joined(allowed);
}

std::string allowed_hint(std::string_view written, const std::vector<std::string>& allowed) {
  const std::vector<std::string_view> words(allowed.begin(), allowed.end());
  return allowed_hint(written, words);
}

std::string boolean_hint(std::string_view written) {
  for (const auto word : {"true", "yes", "on", "1", "y", "enabled"}) {
    if (iequals(written, word)) return ", write true";
  }
  for (const auto word : {"false", "no", "off", "0", "n", "disabled"}) {
    if (iequals(written, word)) return ", write false";
  }
  return {};
}

std::string duration_hint(std::string_view written) {
  const auto digits = std::min(written.find_first_not_of("0123456789"), written.size());
  if (digits == 0 || digits > 9) return {};
  const std::string number(written.substr(0, digits));
  if (number.find_first_not_of('0') == std::string::npos) return {};
  const auto unit = trim(written.substr(digits));
  constexpr Name kUnits[] = {
      {"", "s"},        {"s", "s"},    {"sec", "s"},    {"secs", "s"},          {"second", "s"},
      {"seconds", "s"}, {"ms", "ms"},  {"msec", "ms"},  {"milliseconds", "ms"}, {"m", "m"},
      {"min", "m"},     {"mins", "m"}, {"minute", "m"}, {"minutes", "m"},       {"h", "h"},
      {"hr", "h"},      {"hour", "h"}, {"hours", "h"},
  };
  for (const auto& [name, meant] : kUnits) {
    const auto text = number + std::string(meant);
    if (iequals(unit, name) && text != written) return ", write " + text;
  }
  return {};
}

std::string size_hint(std::string_view written) {
  const auto digits = std::min(written.find_first_not_of("0123456789"), written.size());
  if (digits == 0 || digits > 9) return {};
  const auto unit = trim(written.substr(digits));
  constexpr Name kUnits[] = {{"k", "KiB"},   {"kb", "KiB"},  {"kib", "KiB"}, {"ki", "KiB"}, {"m", "MiB"},
                             {"mb", "MiB"},  {"mib", "MiB"}, {"mi", "MiB"},  {"g", "GiB"},  {"gb", "GiB"},
                             {"gib", "GiB"}, {"gi", "GiB"},  {"b", ""},      {"bytes", ""}};
  for (const auto& [name, meant] : kUnits) {
    if (iequals(unit, name)) return ", write " + std::string(written.substr(0, digits)) + std::string(meant);
  }
  return {};
}

}  // namespace probegate::config
