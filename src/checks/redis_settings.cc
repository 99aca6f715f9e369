#include "checks/redis_settings.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/url.h"
#include "checks/random_bytes.h"
#include "checks/redis_address.h"
#include "checks/transport.h"

namespace probegate::checks {
namespace {

constexpr std::uint16_t kPort = 6379;
constexpr std::uint16_t kSentinelPort = 26379;
constexpr int kMostDatabases = 1'000'000;
constexpr const char* kForms =
    "redis://, rediss://, redis+sentinel://HOST:PORT,HOST:PORT/NAME, redis+cluster:// or unix:/path";

std::optional<int> read_database(std::string_view text) {
  const auto database = parse_decimal<int>(text);
  return database && *database <= kMostDatabases ? database : std::nullopt;
}

// The path is "/0"; with Sentinels "/NAME" or "/NAME/0".
void read_path(const config::Fields& fields, std::string_view path, RedisSettings& settings) {
  path.remove_prefix(path.starts_with('/') ? 1 : 0);
  if (settings.mode == RedisMode::sentinel) {
    const auto slash = path.find('/');
    settings.master = percent_decoded(path.substr(0, slash)).value_or("");
    if (settings.master.empty())
      fields.problem(
          "url", "names no master; the path must be /NAME, as in `sentinel monitor NAME` of the Sentinels");
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  if (path.empty()) return;
  const auto database = read_database(path);
  if (!database) return fields.problem("url", "the path must be a database number, such as /0");
  settings.database = *database;
}

RedisMode mode_of(const RedisAddress& address) {
  if (address.mode == "sentinel") return RedisMode::sentinel;
  return address.mode == "cluster" ? RedisMode::cluster : RedisMode::automatic;
}

void read_mode(const config::Fields& fields, const RedisAddress& address, RedisSettings& settings) {
  const auto word = settings.mode;
  const auto scheme = mode_of(address);
  if (word == RedisMode::automatic) {
    settings.mode = scheme;
  } else if (scheme != RedisMode::automatic && scheme != word) {
    fields.contradiction("mode", "the scheme " + address.url.scheme + ":// of url means another mode");
  }
  const bool several = settings.mode == RedisMode::sentinel || settings.mode == RedisMode::cluster;
  if (address.url.hosts.size() > 1 && !several) {
    fields.problem("url",
                   "several hosts need Sentinels or a cluster: write redis+sentinel://H1,H2/NAME or "
                   "redis+cluster://H1,H2");
  }
}

void read_hosts(const config::Fields& fields, const RedisAddress& address, RedisSettings& settings) {
  settings.database = address.database.value_or(0);
  if (!address.socket.empty()) {
    settings.endpoints = {Endpoint::unix_socket(address.socket)};
    return;
  }
  const auto port = settings.mode == RedisMode::sentinel ? kSentinelPort : kPort;
  for (const auto& host : address.url.hosts)
    settings.endpoints.push_back(Endpoint::tcp(host.name, host.port.value_or(port)));
  read_path(fields, address.url.path, settings);
  if (address.database) settings.database = *address.database;
}

// The section `tls` applies to all connections that use TLS: to the data servers if the URL enables it, to
// Sentinels if sentinel_tls does.
void read_tls(const config::CheckSpec& spec, const RedisAddress& address, RedisSettings& settings) {
  const bool sentinel_tls = spec.fields.boolean("sentinel_tls", false);
  auto tls = tls_of_url(spec, address.tls || sentinel_tls, "rediss://");
  if (tls) {
    if (address.verify && !address.ca_file) tls->verify = tls->verify && *address.verify;
    add_url_files(spec, address.ca_file, address.cert_file, address.key_file, *tls);
  } else if (address.ca_file || address.cert_file) {
    spec.fields.problem("url", "names TLS files but does not use TLS; write rediss://");
  }
  if (address.tls) settings.tls = tls;
  if (sentinel_tls) settings.sentinel_tls = tls;
}

void read_address(const config::CheckSpec& spec, RedisSettings& settings, CheckPlan& plan) {
  const auto& fields = spec.fields;
  const auto text = fields.secret_url("url");
  if (!text) {
    if (!fields.has("url") && !fields.has("url_file"))
      fields.problem("url", std::string("is missing, expected ") + kForms);
    fields.boolean("sentinel_tls", false);
    return;
  }
  const auto address = read_redis_address(*text);
  if (!address) return fields.problem("url", address.error().message);
  add_secrets(address->url, plan.secrets);
  read_mode(fields, *address, settings);
  read_hosts(fields, *address, settings);
  read_tls(spec, *address, settings);
  settings.login = {address->user, address->password};
}

void read_login(const config::Fields& fields, RedisSettings& settings) {
  auto& login = settings.login;
  if (const auto user = fields.optional_text("user")) login.user = *user;
  if (const auto password = fields.secret("password")) login.password = *password;
  // The user in "redis://secret@host" is almost always meant to be the password.
  if (!login.user.empty() && !login.password) {
    fields.problem("url",
                   "a user needs a password; a password alone is written redis://:password@host, and a user "
                   "without one redis://user:@host");
  }
  if (const auto user = fields.optional_text("sentinel_user")) settings.sentinel_login.user = *user;
  settings.sentinel_login.password = fields.secret("sentinel_password");
  if (!settings.sentinel_login.user.empty() && !settings.sentinel_login.password)
    fields.problem("sentinel_user", "needs sentinel_password");
}

void check_sentinel_keys(const config::Fields& fields, const RedisSettings& settings) {
  if (settings.mode == RedisMode::sentinel) return;
  for (const char* key : {"sentinel_user", "sentinel_password", "sentinel_password_file"}) {
    if (fields.has(key)) fields.contradiction(key, "is for redis+sentinel:// or mode: sentinel");
  }
  if (settings.sentinel_tls)
    fields.contradiction("sentinel_tls", "is for redis+sentinel:// or mode: sentinel");
}

void check_mode(const config::Fields& fields, const RedisSettings& settings) {
  const bool on_socket = !settings.endpoints.empty() && settings.endpoints.front().is_unix();
  if (settings.mode == RedisMode::sentinel && on_socket)
    fields.contradiction("mode", "the Sentinels must be in url: redis+sentinel://HOST:PORT,HOST:PORT/NAME");
  if (settings.mode == RedisMode::sentinel && settings.role == RedisRole::replica)
    fields.contradiction("role", "Sentinels name the master only; for a replica write redis://");
  if (settings.mode == RedisMode::cluster && settings.database != 0)
    fields.contradiction(fields.has("database") ? "database" : "url", "a cluster has only database 0");
}

std::string target_of(const RedisSettings& settings) {
  std::string target;
  for (const auto& endpoint : settings.endpoints)
    target += (target.empty() ? "" : ",") + endpoint.to_string();
  if (settings.mode == RedisMode::sentinel) target += "/" + settings.master;
  if (settings.database != 0) target += "/" + std::to_string(settings.database);
  return target;
}

}  // namespace

RedisSettings read_redis_settings(const config::CheckSpec& spec, CheckPlan& plan) {
  const auto& fields = spec.fields;
  RedisSettings settings;
  settings.mode = fields.choice("mode", RedisMode::automatic,
                                {{"auto", RedisMode::automatic},
                                 {"single", RedisMode::single},
                                 {"cluster", RedisMode::cluster},
                                 {"sentinel", RedisMode::sentinel}});
  read_address(spec, settings, plan);
  read_login(fields, settings);
  settings.database = static_cast<int>(fields.integer("database", settings.database, 0, kMostDatabases));
  settings.write = fields.boolean("write", settings.write);
  settings.role = fields.choice(
      "role", RedisRole::any,
      {{"any", RedisRole::any}, {"master", RedisRole::master}, {"replica", RedisRole::replica}});
  if (settings.role == RedisRole::replica && settings.write)
    fields.contradiction("role", "a replica does not accept writes; set write: false");
  check_sentinel_keys(fields, settings);
  check_mode(fields, settings);
  settings.min_days_left = spec.tls.min_days_left;
  settings.max_session = spec.max_session;
  settings.key = "probegate:" + random_hex();

  for (const auto* login : {&settings.login, &settings.sentinel_login}) {
    plan.secrets.push_back(login->password.value_or(""));
    if (!login->user.empty())
      plan.secrets.add_phrase("User " + login->user + " ");  // NOPERM contains the user
  }
  for (const auto& endpoint : settings.endpoints) plan.secrets.allow(endpoint.host);
  plan.secrets.allow(settings.master);
  plan.target = target_of(settings);
  return settings;
}

}  // namespace probegate::checks
