#include "checks/mysql_settings.h"

#include "base/text.h"
#include "checks/mysql_address.h"
#include "checks/transport.h"

namespace probegate::checks {
namespace {

constexpr std::uint16_t kPort = 3306;
constexpr const char* kAuthorities = "/etc/ssl/certs/ca-certificates.crt";

void read_url(const config::Fields& fields, const std::string& text, MysqlSettings& settings) {
  auto address = read_mysql_address(text);
  if (!address) return fields.problem("url", address.error().message);
  settings.endpoint = std::move(address->endpoint);
  settings.user = std::move(address->user);
  settings.password = std::move(address->password);
  settings.database = std::move(address->database);
  settings.written = std::move(address->secrets);
  if (address->cert_file || address->key_file)
    fields.problem("url", "certificates of clients are written as keys of tls, not in the URL");
  if (!address->tls && !address->ca_file) return;
  settings.tls = loop::TlsSettings{"", address->ca_file, address->verify || address->ca_file};
  settings.authorities = address->ca_file.value_or(kAuthorities);
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
  if (has_url) return fields.leave_out("port");
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
  settings.query = fields.private_text("query");
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
    settings.authorities = spec.tls.ca_file.value_or(kAuthorities);
    settings.min_days_left = spec.tls.min_days_left;
  }
  if (settings.tls) {
    if (settings.tls->server_name.empty()) settings.tls->server_name = settings.endpoint.host;
    if (settings.tls->verify && settings.tls->server_name.empty())
      spec.fields.section("tls").problem("server_name", "is missing: a unix socket has no name to verify");
  }
  read_questions(spec.fields, settings);
  return settings;
}

Secrets MysqlSettings::secrets() const {
  Secrets found = written;
  found.push_back(password);
  // The server names the user when it refuses it. What is around the name keeps other words as they are.
  found.add_phrase("'" + user + "'");
  found.add_phrase("User " + user + " ");
  if (query) found.add_literals(*query, "'\"");
  for (const auto& word : {endpoint.host, database}) found.allow(word);
  return found;
}

std::string MysqlSettings::target() const {
  return database.empty() ? endpoint.to_string() : endpoint.to_string() + "/" + database;
}

}  // namespace probegate::checks
