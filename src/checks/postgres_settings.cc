#include "checks/postgres_settings.h"

#include <algorithm>

#include "base/text.h"
#include "checks/postgres_tls.h"

namespace probegate::checks {
namespace {

constexpr std::uint16_t kPort = 5432;
constexpr const char* kSocketDirectory = "/var/run/postgresql";  // default of libpq without a host
constexpr const char* kNowhere = "/dev/null/none";               // no such file

std::string take_out(PostgresParameters& parameters, const std::string& keyword) {
  const auto node = parameters.extract(keyword);
  return node ? node.mapped() : "";
}

// libpq's parallel lists: ports and addresses are one for all hosts or one for each.
Result<std::vector<PostgresHost>> take_hosts(PostgresParameters& parameters) {
  const std::string host = take_out(parameters, "host");
  const std::string address = take_out(parameters, "hostaddr");
  const std::string port = take_out(parameters, "port");
  const std::string named = !host.empty() ? host : !address.empty() ? address : kSocketDirectory;
  const auto names = split(named, ',');
  const auto addresses = split(address, ',');
  const auto ports = split(port, ',');
  if (!address.empty() && addresses.size() != names.size())
    return failure("needs one hostaddr for each host");
  if (ports.size() != 1 && ports.size() != names.size())
    return failure("needs one port, or one for each host");

  std::vector<PostgresHost> hosts;
  for (std::size_t i = 0; i < names.size(); ++i) {
    PostgresHost one{std::string(names[i].empty() ? kSocketDirectory : names[i]), ""};
    const bool is_socket = one.name.starts_with('/') || one.name.starts_with('@');
    if (!address.empty() && !addresses[i].empty()) {
      one.look_up = addresses[i];
    } else if (!is_socket) {
      one.look_up = one.name;
    }
    const auto text = ports.size() == 1 ? ports[0] : ports[i];
    const auto number = text.empty() ? kPort : parse_decimal<std::uint16_t>(text).value_or(0);
    if (number == 0) return failure("a port must be a number from 1 to 65535");
    one.port = number;
    hosts.push_back(std::move(one));
  }
  return hosts;
}

void read_address(const config::Fields& fields, PostgresSettings& settings) {
  const auto url = fields.secret_url("url");
  if (url) {
    auto address = read_postgres_address(*url);
    if (address) {
      settings.parameters = std::move(address->parameters);
      settings.search_path = std::move(address->search_path);
      settings.written = std::move(address->secrets);
    } else {
      fields.problem("url", address.error().message);
    }
  }
  for (const char* keyword :
       {"host", "port", "user", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey", "options"}) {
    const auto value = fields.optional_text(keyword);
    if (!value) continue;
    if (url) fields.contradiction(keyword, "url is set too; keep one of the two");
    settings.parameters[keyword] = *value;
  }
  settings.user_by_key = fields.has("user");
  if (const auto password = fields.secret("password")) settings.parameters["password"] = *password;
  if (!url && !fields.has("url") && !fields.has("url_file") && !fields.has("host"))
    fields.problem("url", "is missing; set url, or host with port, user, password and dbname");

  auto hosts = take_hosts(settings.parameters);
  if (hosts) {
    settings.hosts = std::move(*hosts);
  } else {
    fields.problem(url ? "url" : "port", hosts.error().message);
  }
}

void check_word(const config::Fields& fields, const std::string& keyword, const std::string& word,
                std::initializer_list<std::string_view> allowed) {
  if (std::find(allowed.begin(), allowed.end(), word) != allowed.end()) return;
  std::string list;
  for (const auto one : allowed) list += (list.empty() ? "" : ", ") + std::string(one);
  fields.problem(fields.has(keyword) ? keyword : "url", keyword + " must be one of " + list);
}

void check_parameters(const config::Fields& fields, PostgresSettings& settings) {
  if (const auto mode = settings.parameters.find("sslmode"); mode != settings.parameters.end()) {
    check_word(fields, "sslmode", mode->second,
               {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"});
  }
  if (auto wanted = take_out(settings.parameters, "target_session_attrs"); !wanted.empty()) {
    check_word(fields, "target_session_attrs", wanted,
               {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"});
    settings.session_attrs = std::move(wanted);
  }
  // Like libpq, treats 1 as 2, and 0 or less as no limit.
  if (const auto text = take_out(settings.parameters, "connect_timeout"); !text.empty()) {
    const auto seconds = parse_decimal<std::int32_t>(text.starts_with('-') ? text.substr(1) : text);
    if (!seconds) fields.problem("url", "connect_timeout must be a number of seconds");
    const bool limits = seconds.value_or(0) > 0 && !text.starts_with('-');
    if (limits) settings.connect_limit = std::chrono::seconds(std::max(*seconds, 2));
  }
  if (!take_out(settings.parameters, "service").empty()) {
    fields.problem("url", "service files are not supported; write host, port, user and dbname instead");
  }
  if (!take_out(settings.parameters, "passfile").empty()) {
    fields.problem("url", "password files of libpq are not supported; use password_file");
  }
}

// Sets what the address cannot change. In particular, libpq must not read ~/.pgpass or ~/.postgresql, where a
// certificate would change the meaning of sslmode.
void complete(PostgresSettings& settings) {
  auto& parameters = settings.parameters;
  parameters.try_emplace("application_name", "probegate");
  parameters["client_encoding"] = "UTF8";
  parameters["gssencmode"] = "disable";  // otherwise libpq requests Kerberos tickets first
  parameters["passfile"] = kNowhere;
}

void read_questions(const config::Fields& fields, PostgresSettings& settings) {
  const auto names = fields.text_list("tables", {});
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (auto table = parse_postgres_table(names[i])) {
      settings.tables.push_back(*std::move(table));
    } else {
      fields.item_problem("tables", i, "is not a table name, expected name or schema.name, quoted if needed");
    }
  }
  read_query(fields, settings);
}

}  // namespace

PostgresSettings read_postgres_settings(const config::CheckSpec& spec) {
  const auto& fields = spec.fields;
  PostgresSettings settings;
  settings.max_session = spec.max_session;
  read_address(fields, settings);
  check_parameters(fields, settings);
  complete(settings);
  complete_postgres_tls(spec, settings);
  read_questions(fields, settings);
  return settings;
}

bool PostgresSettings::asks_for_role() const {
  return writable || (session_attrs != "any" && session_attrs != "prefer-standby");
}

std::optional<std::string> PostgresSettings::role_problem(bool standby, bool read_only) const {
  const std::string wanted = ", expected " + session_attrs + " (target_session_attrs)";
  if (session_attrs == "standby" && !standby) return "the server is not a standby" + wanted;
  if (session_attrs == "primary" && standby) return "the server is a standby" + wanted;
  if (session_attrs == "read-only" && !standby && !read_only) return "the session may write" + wanted;
  if (session_attrs == "read-write" && (standby || read_only)) return "the session is read-only" + wanted;
  if (!writable) return std::nullopt;
  if (standby) return "the server is a standby";
  if (read_only) return "the server is read-only (default_transaction_read_only)";
  return std::nullopt;
}

std::string PostgresSettings::unnamed_database() const {
  const auto user = parameters.find("user");
  if (parameters.contains("dbname") || user == parameters.end()) return "";
  return user_by_key
             ? "there is no database '" + user->second + "', which is the default (the user name); set dbname"
             : "there is no database with the user name, the default; add /dbname to the URL";
}

Secrets PostgresSettings::secrets() const {
  Secrets found = written;
  for (const char* keyword : {"password", "sslpassword"}) {
    if (const auto secret = parameters.find(keyword); secret != parameters.end())
      found.push_back(secret->second);
  }
  // The server's error contains the user name in quotes. The quotes prevent masking of the
  // same word elsewhere.
  if (const auto user = parameters.find("user"); user != parameters.end()) {
    found.add_phrase('"' + user->second + '"');
  }
  if (query) found.add_literals(*query);
  for (const auto& host : hosts) found.allow(host.name);
  if (const auto database = parameters.find("dbname"); database != parameters.end())
    found.allow(database->second);
  return found;
}

std::string PostgresSettings::search_path_sql() const {
  std::string list;
  for (const auto& schema : search_path) list += (list.empty() ? "\"" : ", \"") + schema + "\"";
  return list;
}

std::string PostgresSettings::target() const {
  std::string text;
  for (const auto& host : hosts) {
    if (!text.empty()) text += ",";
    text += host.is_socket() ? host.name : Endpoint::tcp(host.name, host.port).to_string();
  }
  const auto database = parameters.find("dbname");
  return database == parameters.end() ? text : text + "/" + database->second;
}

}  // namespace probegate::checks
