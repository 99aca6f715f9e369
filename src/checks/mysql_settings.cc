#include "checks/mysql_settings.h"

#include "base/text.h"
#include "base/url.h"
#include "checks/transport.h"

namespace probegate::checks {
namespace {

constexpr std::uint16_t kPort = 3306;
constexpr const char* kAuthorities = "/etc/ssl/certs/ca-certificates.crt";

void read_url(const config::Fields& fields, const std::string& text, MysqlSettings& settings) {
  const auto url = parse_url(text);
  if (!url)
    return fields.problem("url", "is not mysql://user:password@host:3306/dbname: " + url.error().message);
  const std::string scheme = url->scheme.substr(0, url->scheme.find('+'));  // mysql+driver, as ORMs write it
  if (scheme != "mysql" && scheme != "mariadb")
    return fields.problem("url", "starts with mysql:// or mariadb://");
  settings.endpoint = url->endpoint(kPort);
  settings.user = url->user.value_or("");
  settings.password = url->password.value_or("");
  settings.raw_password = url->raw_password;

  const auto path = std::string_view(url->path).substr(std::min<std::size_t>(1, url->path.size()));
  settings.database = percent_decoded(path).value_or("");
  if (path.find('/') != std::string_view::npos)
    fields.problem("url", "the path is the name of a database, /app");
  for (const auto& parameter : url->parameters) {
    const auto name = to_lower(parameter.name);
    if (name == "socket" || name == "unix_socket") {
      auto endpoint = Endpoint::parse("unix:" + parameter.value);
      if (!endpoint) return fields.problem("url", "the socket is the path of a unix socket");
      settings.endpoint = *std::move(endpoint);
    } else if (name.find("ssl") != std::string::npos || name.find("tls") != std::string::npos) {
      fields.problem("url", "TLS is asked for with the key tls, not in the URL");
    }  // what drivers know besides, such as a character set, is of no use to us
  }
}

void read_parts(const config::Fields& fields, bool has_url, MysqlSettings& settings) {
  const auto port = fields.integer("port", kPort, 1, 65535);
  for (const char* key : {"host", "port", "user", "dbname"}) {
    if (has_url && fields.has(key)) fields.contradiction(key, "url is set too; keep one of the two");
  }
  const auto host = fields.optional_text("host");
  const auto user = fields.optional_text("user");
  const auto database = fields.optional_text("dbname");
  if (const auto password = fields.secret("password")) settings.password = *password;
  if (has_url) return;
  if (!host) return fields.problem("url", "is missing; set url, or host and its companions");
  settings.user = user.value_or("");
  settings.database = database.value_or("");
  settings.endpoint = Endpoint::tcp(*host, static_cast<std::uint16_t>(port));
  if (!host->starts_with('/')) return;
  auto endpoint = Endpoint::parse("unix:" + *host);
  if (!endpoint) return fields.problem("host", endpoint.error().message);
  settings.endpoint = *std::move(endpoint);
}

// "name" or "schema.name", each part plain or in backticks.
std::optional<MysqlSettings::Table> parse_table(const std::string& written, const std::string& database) {
  constexpr std::size_t kLongest = 64;
  MysqlSettings::Table table{written, database, ""};
  const auto parts = split(written, '.');
  if (parts.size() > 2) return std::nullopt;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto part = parts[i];
    if (part.size() >= 2 && part.starts_with('`') && part.ends_with('`'))
      part = part.substr(1, part.size() - 2);
    if (part.empty() || part.size() > 4 * kLongest || part.find_first_of("`/\\ \t") != part.npos)
      return std::nullopt;
    (parts.size() == 2 && i == 0 ? table.schema : table.name) = part;
  }
  return table;
}

void read_questions(const config::Fields& fields, MysqlSettings& settings) {
  const auto names = fields.text_list("tables", {});
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto table = parse_table(names[i], settings.database);
    if (!table) {
      fields.item_problem("tables", i, "is not a table's name, expected name or schema.name");
    } else if (table->schema.empty()) {
      fields.item_problem("tables", i, "has no schema, and no database is named; write schema.name");
    } else {
      settings.tables.push_back(*std::move(table));
    }
  }
  settings.query = fields.optional_text("query");
  settings.expect = fields.optional_text("expect");
  settings.writable = fields.boolean("writable", false);
  if (settings.query && trim(*settings.query).empty()) fields.problem("query", "is empty");
  if (settings.expect && !settings.query) fields.contradiction("expect", "needs a query");
}

}  // namespace

MysqlSettings read_mysql_settings(const config::CheckSpec& spec) {
  MysqlSettings settings;
  settings.timeout = spec.timeout;
  const auto url = spec.fields.secret_url("url");
  if (url) read_url(spec.fields, *url, settings);
  read_parts(spec.fields, url.has_value() || spec.fields.has("url_file"), settings);
  if (spec.fields.has("tls")) {
    settings.tls = tls_settings(spec.tls);
    if (settings.tls->server_name.empty()) settings.tls->server_name = settings.endpoint.host;
    if (settings.tls->verify && settings.tls->server_name.empty())
      spec.fields.section("tls").problem("server_name", "is missing: a unix socket has no name to verify");
    settings.authorities = spec.tls.ca_file.value_or(kAuthorities);
    settings.min_days_left = spec.tls.min_days_left;
  }
  read_questions(spec.fields, settings);
  return settings;
}

Secrets MysqlSettings::secrets() const {
  Secrets found{password, raw_password};
  // The server names the user when it refuses it. What is around the name keeps other words as they are.
  found.add_phrase("'" + user + "'");
  found.add_phrase("User " + user + " ");
  for (const auto& word : {endpoint.host, database}) found.allow(word);
  return found;
}

std::string MysqlSettings::target() const {
  return database.empty() ? endpoint.to_string() : endpoint.to_string() + "/" + database;
}

}  // namespace probegate::checks
