#include "checks/postgres_address.h"

#include <algorithm>

#include "base/text.h"
#include "base/url.h"
#include "checks/foreign_address.h"
#include "checks/url_parameters.h"
#include "config/schemes.h"

namespace probegate::checks {
namespace {

constexpr std::string_view kForm = "postgresql://user:password@host:5432/dbname";

// Passed to libpq unchanged.
constexpr std::string_view kKeywords[] = {"channel_binding",
                                          "client_encoding",
                                          "connect_timeout",
                                          "dbname",
                                          "fallback_application_name",
                                          "gssencmode",
                                          "gsslib",
                                          "host",
                                          "hostaddr",
                                          "keepalives",
                                          "keepalives_count",
                                          "keepalives_idle",
                                          "keepalives_interval",
                                          "krbsrvname",
                                          "options",
                                          "passfile",
                                          "password",
                                          "port",
                                          "replication",
                                          "requirepeer",
                                          "requiressl",
                                          "service",
                                          "ssl_max_protocol_version",
                                          "ssl_min_protocol_version",
                                          "sslcert",
                                          "sslcompression",
                                          "sslcrl",
                                          "sslcrldir",
                                          "sslkey",
                                          "sslpassword",
                                          "sslrootcert",
                                          "sslsni",
                                          "target_session_attrs",
                                          "tcp_user_timeout",
                                          "user"};

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

class Reader {
 public:
  Result<void> take(std::string_view name, const std::string& value);
  Result<PostgresAddress> finish() { return std::move(address_); }
  PostgresAddress& address() { return address_; }

 private:
  void set(std::string_view keyword, std::string_view value) {
    address_.parameters[std::string(keyword)] = value;
  }
  Result<void> take_tls(std::string_view name, const std::string& plain, const std::string& value);
  Result<void> take_search_path(std::string_view name, const std::string& value);
  void take_socket(std::string_view path);

  PostgresAddress address_;
  ParameterErrors errors_;
};

Result<void> Reader::take(std::string_view name, const std::string& value) {
  const std::string plain = plain_name(name);
  if (is_one_of(plain, {"password", "sslpassword", "pass", "pwd"})) errors_.secret_seen();
  if (is_one_of(plain, {"ssl", "sslmode", "sslaccept", "tls", "usessl"})) return take_tls(name, plain, value);
  if (is_one_of(plain, {"schema", "currentschema", "searchpath"})) return take_search_path(name, value);
  if (is_one_of(plain, {"db", "database"})) {
    set("dbname", value);
  } else if (is_one_of(plain, {"username"})) {
    set("user", value);
  } else if (is_one_of(plain, {"sslcacerts", "sslca", "sslrootcert"})) {
    set("sslrootcert", value);
  } else if (is_one_of(plain, {"unixsock", "unixsocket", "socket"})) {
    take_socket(value);
  } else if (const auto* keyword = std::find(std::begin(kKeywords), std::end(kKeywords), to_lower(name));
             keyword != std::end(kKeywords)) {
    set(*keyword, value);
  } else if (!is_ignored_parameter(name)) {
    return failure(errors_.unknown(name));
  }
  return {};
}

Result<void> Reader::take_tls(std::string_view name, const std::string& plain, const std::string& value) {
  const auto word = to_lower(value);
  if (is_one_of(word, {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})) {
    set("sslmode", word);
  } else if (is_one_of(word, {"no-verify"})) {  // node-postgres: encrypted without verification
    set("sslmode", "require");
  } else if (plain == "sslmode") {
    return failure("sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full");
  } else if (word == "strict") {  // Prisma's sslaccept
    set("sslmode", "verify-full");
  } else if (word == "accept_invalid_certs" || as_boolean(word) == false) {
    return {};  // no TLS requested
  } else if (as_boolean(word)) {
    if (!address_.parameters.contains("sslmode")) set("sslmode", "require");
  } else {
    return failure(errors_.wrong(name, "has an unknown value; write sslmode=require or verify-full"));
  }
  return {};
}

Result<void> Reader::take_search_path(std::string_view name, const std::string& value) {
  std::vector<std::string> schemas;
  for (const auto part : split(value, ',')) {
    auto schema = trim(part);
    if (schema.size() >= 2 && schema.starts_with('"') && schema.ends_with('"'))
      schema = schema.substr(1, schema.size() - 2);
    if (schema.empty() || schema.find('"') != schema.npos)
      return failure(errors_.wrong(name, "must be a list of schemas, separated by commas"));
    schemas.emplace_back(schema);
  }
  address_.search_path = std::move(schemas);
  return {};
}

// pg8000 uses the path of the socket itself, libpq its directory.
void Reader::take_socket(std::string_view path) {
  constexpr std::string_view kName = "/.s.PGSQL.";
  const auto at = path.rfind(kName);
  if (at != path.npos) {
    set("port", path.substr(at + kName.size()));
    path = path.substr(0, at);
  }
  set("host", path);
}

void take_hosts(const Url& url, PostgresParameters& parameters) {
  std::string names;
  std::string ports;
  bool any_port = false;
  for (const auto& host : url.hosts) {
    const std::string separator = &host == &url.hosts.front() ? "" : ",";
    names += separator + host.name;
    ports += separator + (host.port ? std::to_string(*host.port) : "");
    any_port = any_port || host.port;
  }
  if (!names.empty()) parameters["host"] = names;
  if (any_port) parameters["port"] = ports;
}

Result<PostgresAddress> read_url(std::string_view text) {
  const auto url = parse_url(text, {.several_hosts = true, .no_host = true, .socket_host = true});
  if (!url) return failure("is not " + std::string(kForm) + ": " + url.error().message);
  if (config::check_type_of(url->scheme) != "postgres")
    return failure(config::wrong_scheme(url->scheme, "postgres"));
  // libpq, and with it most backends, ends the password at the first "@" and treats the rest as the host.
  if (url->loose_at) return failure("is not " + std::string(kForm) + ": " + std::string(kEscapes));
  Reader reader;
  auto& parameters = reader.address().parameters;
  take_hosts(*url, parameters);
  if (url->user && !url->user->empty()) parameters["user"] = *url->user;
  if (url->password) parameters["password"] = *url->password;
  const auto path = url->decoded_path();
  if (!path) return failure("a % in the database name is written %25");
  if (path->size() > 1) parameters["dbname"] = path->substr(1);
  add_secrets(*url, reader.address().secrets);
  for (const auto& [name, value, raw] : url->parameters) {
    if (auto taken = reader.take(name, value); !taken) return failure(taken.error().message);
  }
  if (url->fragment && !url->fragment->empty()) return failure("a # is written %23");
  return reader.finish();
}

// Takes one value of "name = 'it''s'", with libpq's quotes and backslashes; empty if a quote is not closed.
std::optional<std::string> take_value(std::string_view& text) {
  const bool in_quotes = text.starts_with('\'');
  std::size_t at = in_quotes ? 1 : 0;
  std::string value;
  while (at < text.size() && (in_quotes ? text[at] != '\'' : text[at] != ' ')) {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    value += text[at++];
  }
  if (in_quotes && at++ >= text.size()) return std::nullopt;
  text.remove_prefix(at);
  return value;
}

// Parses "host=db port=5432 user=app"; libpq's own parser repeats the password in its errors.
Result<PostgresAddress> read_keywords(std::string_view text) {
  Reader reader;
  for (text = trim(text); !text.empty(); text = trim(text)) {
    const auto equals = text.find('=');
    if (equals == text.npos)
      return failure("is not " + std::string(kForm) + " or host=... user=... dbname=...");
    const auto name = trim(text.substr(0, equals));
    text = trim(text.substr(equals + 1));
    const auto value = take_value(text);
    if (!value) return failure("a ' in a value is written \\'");
    if (auto taken = reader.take(name, *value); !taken) return failure(taken.error().message);
  }
  return reader.finish();
}

}  // namespace

Result<PostgresAddress> read_postgres_address(std::string_view text) {
  if (const auto advice = foreign_address_advice(text, "postgresql")) return failure(*advice);
  if (text.find("://") != text.npos) return read_url(text);
  if (text.find('=') != text.npos) return read_keywords(text);
  return failure("is not " + std::string(kForm) + " or host=... user=... dbname=...");
}

}  // namespace probegate::checks
