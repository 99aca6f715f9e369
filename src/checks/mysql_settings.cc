#include "checks/mysql_settings.h"

#include "base/text.h"
#include "checks/mysql_address.h"
#include "checks/transport.h"
#include "loop/tls_files.h"

namespace probegate::checks {
namespace {

constexpr std::uint16_t kPort = 3306;

// Applies the TLS settings of the address.
MysqlAddress read_url(const config::Fields& fields, const std::string& text, MysqlSettings& settings) {
  auto address = read_mysql_address(text);
  if (!address) {
    fields.problem("url", address.error().message);
    return {};
  }
  settings.endpoint = address->endpoint;
  settings.user = address->user;
  settings.password = address->password;
  settings.database = address->database;
  settings.written = address->secrets;
  return *std::move(address);
}

// TLS is on if the section `tls` is present or the address requests it.
void read_tls(const config::CheckSpec& spec, const MysqlAddress& address, MysqlSettings& settings) {
  const bool section = spec.fields.has("tls");
  if (!section && !address.tls && !address.ca_file && !address.cert_file && !address.key_file) return;
  settings.tls = tls_settings(spec.tls);
  auto& tls = *settings.tls;
  if (!section) tls.verify = address.verify || address.ca_file.has_value();
  add_url_files(spec, address.ca_file, address.cert_file, address.key_file, tls);
  settings.authorities = tls.ca_file.value_or(loop::system_bundle());
  settings.min_days_left = spec.tls.min_days_left;
  if (tls.server_name.empty()) tls.server_name = settings.endpoint.host;
  if (!tls.verify) return;
  if (tls.server_name.empty())
    spec.fields.section("tls").problem("server_name", "is missing: a unix socket has no host name to verify");
  if (settings.authorities.empty() && !spec.fields.problems().rendering())
    spec.fields.section("tls").problem("ca_file", "no system CA file found; set ca_file");
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
  if (!host)
    return fields.problem("url", "is missing; set url, or host with port, user, password and dbname");
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
  MysqlSettings::Table table{written, database, "", ""};
  const auto parts = split(written, '.');
  if (parts.size() > 2) return std::nullopt;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto part = parts[i];
    const bool is_quoted = part.size() >= 2 && part.starts_with('`') && part.ends_with('`');
    if (is_quoted) part = part.substr(1, part.size() - 2);
    if (part.empty() || part.size() > 4 * kLongest || part.find_first_of("`/\\ \t") != part.npos)
      return std::nullopt;
    if (parts.size() == 2 && i == 0) {
      table.schema = part;
    } else {
      table.name = part;
      table.folded = is_quoted ? table.name : to_lower(part);
    }
  }
  return table;
}

void read_questions(const config::Fields& fields, MysqlSettings& settings) {
  const auto names = fields.text_list("tables", {});
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto table = parse_table(names[i], settings.database);
    if (!table) {
      fields.item_problem("tables", i, "is not a table name, expected name or schema.name");
    } else if (table->schema.empty()) {
      fields.item_problem("tables", i, "has no schema, and no database is set; write schema.name");
    } else {
      settings.tables.push_back(*std::move(table));
    }
  }
  read_query(fields, settings);
}

}  // namespace

MysqlSettings read_mysql_settings(const config::CheckSpec& spec) {
  MysqlSettings settings;
  settings.timeout = spec.timeout;
  settings.max_session = spec.max_session;
  const auto url = spec.fields.secret_url("url");
  const auto address = url ? read_url(spec.fields, *url, settings) : MysqlAddress{};
  read_parts(spec.fields, url.has_value() || spec.fields.has("url_file"), settings);
  read_tls(spec, address, settings);
  read_questions(spec.fields, settings);
  return settings;
}

Secrets MysqlSettings::secrets() const {
  Secrets found = written;
  found.push_back(password);
  // The server's error contains the user name. The surrounding words prevent masking of the
  // same name elsewhere.
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
