#include "config/environment_sources.h"

#include <algorithm>

#include "base/text.h"
#include "config/schemes.h"
#include "config/secrets.h"

namespace probegate::config {
namespace {

constexpr std::size_t kLongestAddress = 64 * 1024;

using Names = std::initializer_list<std::string_view>;

// Maps the variables of one family to the parts of an address.
struct Part {
  std::string_view key;
  Names variables;  // the first one that is set and not empty
};

class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}

  bool has(std::string_view name) const { return environment_.find(name) != environment_.end(); }

  std::optional<SourceKey> first(std::string_view key, Names variables) const {
    for (const auto name : variables) {
      auto value = variable_value(environment_, name);
      if (value && !value->empty()) return SourceKey{std::string(key), *std::move(value), std::string(name)};
    }
    return std::nullopt;
  }

  // The value of `variable`, also when it is empty: reading the tree reports that.
  std::optional<SourceKey> exactly(std::string_view key, std::string_view variable) const {
    auto value = variable_value(environment_, variable);
    if (!value) return std::nullopt;
    return SourceKey{std::string(key), *std::move(value), std::string(variable)};
  }

 private:
  const Environment& environment_;
};

// Docker links and Kubernetes set REDIS_PORT=tcp://10.0.0.1:6379, which is not a port.
bool is_link(const SourceKey& key) { return key.key == "port" && key.value.starts_with("tcp://"); }

std::vector<SourceKey> parts(const Reader& reader, std::string_view host, const std::vector<Part>& others) {
  std::vector<SourceKey> keys;
  auto where = reader.exactly("host", host);
  if (!where) return keys;
  keys.push_back(*std::move(where));
  for (const auto& part : others) {
    if (auto key = reader.first(part.key, part.variables); key && !is_link(*key))
      keys.push_back(*std::move(key));
  }
  return keys;
}

std::string type_of(const std::string& address) {
  const auto type = check_type_of_address(address);
  return type == "mysql" ? "mysql" : "postgres";
}

Source by_url(SourceKey key) {
  Source source{type_of(key.value), {}};
  source.keys.push_back(std::move(key));
  return source;
}

Source by_file(SourceKey key) {
  const auto content = key.value.empty() ? Result<std::string>("") : read_file(key.value, kLongestAddress);
  Source source{content ? type_of(std::string(trim_lines(*content))) : "postgres", {}};
  source.keys.push_back(std::move(key));
  return source;
}

std::vector<SourceKey> libpq_parts(const Reader& reader) {
  return parts(reader, "PGHOST",
               {{"port", {"PGPORT"}},
                {"user", {"PGUSER"}},
                {"password", {"PGPASSWORD"}},
                {"dbname", {"PGDATABASE"}},
                {"sslmode", {"PGSSLMODE"}},
                {"sslrootcert", {"PGSSLROOTCERT"}},
                {"options", {"PGOPTIONS"}}});
}

std::vector<SourceKey> database_parts(const Reader& reader) {
  auto keys = parts(reader, "DB_HOST",
                    {{"port", {"DB_PORT"}},
                     {"user", {"DB_USER", "DB_USERNAME"}},
                     {"password", {"DB_PASSWORD", "DB_PASS"}},
                     {"dbname", {"DB_NAME", "DB_DATABASE"}}});
  const auto is_password = [](const SourceKey& key) { return key.key == "password"; };
  if (!keys.empty() && std::none_of(keys.begin(), keys.end(), is_password)) {
    if (auto file = reader.first("password_file", {"DB_PASSWORD_FILE"})) keys.push_back(*std::move(file));
  }
  return keys;
}

// DB_* means postgres unless the port or DB_CONNECTION says otherwise.
std::string type_of_parts(const Reader& reader, const std::vector<SourceKey>& keys) {
  const auto connection = reader.first("", {"DB_CONNECTION"});
  if (connection) {
    const auto word = to_lower(connection->value);
    if (word.find("mysql") != word.npos || word.find("mariadb") != word.npos) return "mysql";
    if (!check_type_of(word).empty()) return std::string(check_type_of(word));
  }
  const auto is_mysql_port = [](const SourceKey& key) { return key.key == "port" && key.value == "3306"; };
  return std::any_of(keys.begin(), keys.end(), is_mysql_port) ? "mysql" : "postgres";
}

// A redis check takes a URL, so the parts are joined.
std::vector<SourceKey> redis_parts(const Reader& reader) {
  const auto found = parts(reader, "REDIS_HOST",
                           {{"port", {"REDIS_PORT"}},
                            {"user", {"REDIS_USERNAME", "REDIS_USER"}},
                            {"password", {"REDIS_PASSWORD", "REDIS_PASS"}},
                            {"database", {"REDIS_DB", "REDIS_DATABASE"}},
                            {"tls", {"REDIS_TLS", "REDIS_SSL"}}});
  if (found.empty()) return found;
  const auto value = [&](std::string_view key) -> std::string {
    for (const auto& one : found) {
      if (one.key == key) return one.value;
    }
    return "";
  };
  const auto host = value("host");
  const auto tls = to_lower(value("tls"));
  const bool encrypted = tls == "true" || tls == "1" || tls == "yes" || tls == "on";
  std::string url = host;
  if (!host.empty() && host.find("://") == host.npos && !host.starts_with("unix:")) {
    const bool bare_v6 = std::count(host.begin(), host.end(), ':') > 1 && !host.starts_with('[');
    url = host.starts_with('/')
              ? "unix:" + host
              : (encrypted ? "rediss://" : "redis://") + (bare_v6 ? "[" + host + "]" : host);
    const auto port = value("port");
    if (!port.empty() && !host.starts_with('/')) url += ":" + port;
    const auto database = value("database");
    if (!database.empty()) url += (host.starts_with('/') ? "?db=" : "/") + database;
  }
  std::vector<SourceKey> keys = {{"url", url, found.front().variable}};
  for (const auto& one : found) {
    if (one.key == "user" || one.key == "password") keys.push_back(one);
  }
  const bool has_password = keys.back().key == "password";
  if (auto file = has_password ? std::nullopt : reader.first("password_file", {"REDIS_PASSWORD_FILE"}))
    keys.push_back(*std::move(file));
  for (const auto& one : found) {  // listed as origins; their values are in the URL
    if (one.key == "port" || one.key == "database" || one.key == "tls")
      keys.push_back({"", "", one.variable});
  }
  return keys;
}

std::optional<Chosen> first_of(std::vector<Source> sources) {
  std::optional<Chosen> chosen;
  for (auto& source : sources) {
    if (source.keys.empty()) continue;
    if (!chosen) {
      chosen = {std::move(source), {}};
      continue;
    }
    for (const auto& key : source.keys) chosen->ignored.push_back(key.variable);
  }
  return chosen;
}

template <typename Make>
Source if_set(std::optional<SourceKey> key, Make make) {
  return key ? make(*std::move(key)) : Source{};
}

}  // namespace

std::optional<std::string> variable_value(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  if (found == environment.end()) return std::nullopt;
  return std::string(trim_lines(found->second));
}

std::optional<Chosen> database_source(const Environment& environment) {
  const Reader reader(environment);
  std::vector<Source> sources;
  sources.push_back(if_set(reader.exactly("url", "DATABASE_URL"), by_url));
  sources.push_back(if_set(reader.exactly("url_file", "DATABASE_URL_FILE"), by_file));
  sources.push_back(if_set(reader.exactly("url", "POSTGRES_URL"), by_url));
  sources.push_back({"postgres", libpq_parts(reader)});
  auto keys = database_parts(reader);
  const auto type = type_of_parts(reader, keys);
  if (type == "mysql" || type == "postgres") sources.push_back({type, std::move(keys)});
  return first_of(std::move(sources));
}

std::optional<Chosen> redis_source(const Environment& environment) {
  const Reader reader(environment);
  std::vector<Source> sources;
  const auto as_redis = [](SourceKey key) {
    Source source{"redis", {}};
    source.keys.push_back(std::move(key));
    return source;
  };
  sources.push_back(if_set(reader.exactly("url", "REDIS_URL"), as_redis));
  sources.push_back(if_set(reader.exactly("url_file", "REDIS_URL_FILE"), as_redis));
  sources.push_back({"redis", redis_parts(reader)});
  return first_of(std::move(sources));
}

const std::vector<std::string_view>& known_variables() {
  static const std::vector<std::string_view> kKnown = {"AUTH_HEALTH_URL",
                                                       "BACKEND_URL",
                                                       "DATABASE_TABLES",
                                                       "DATABASE_URL",
                                                       "DATABASE_URL_FILE",
                                                       "DB_CONNECTION",
                                                       "DB_DATABASE",
                                                       "DB_HOST",
                                                       "DB_NAME",
                                                       "DB_PASS",
                                                       "DB_PASSWORD",
                                                       "DB_PASSWORD_FILE",
                                                       "DB_PORT",
                                                       "DB_USER",
                                                       "DB_USERNAME",
                                                       "LOG_LEVEL",
                                                       "PGDATABASE",
                                                       "PGHOST",
                                                       "PGOPTIONS",
                                                       "PGPASSWORD",
                                                       "PGPORT",
                                                       "PGSSLMODE",
                                                       "PGSSLROOTCERT",
                                                       "PGUSER",
                                                       "PORT",
                                                       "POSTGRES_URL",
                                                       "PROBE_PORT",
                                                       "REDIS_DATABASE",
                                                       "REDIS_DB",
                                                       "REDIS_HOST",
                                                       "REDIS_PASS",
                                                       "REDIS_PASSWORD",
                                                       "REDIS_PASSWORD_FILE",
                                                       "REDIS_PORT",
                                                       "REDIS_SSL",
                                                       "REDIS_TLS",
                                                       "REDIS_URL",
                                                       "REDIS_URL_FILE",
                                                       "REDIS_USER",
                                                       "REDIS_USERNAME",
                                                       "WEBSOCKET_PATH"};
  return kKnown;
}

}  // namespace probegate::config
