#include "checks/mysql_address.h"

#include <algorithm>

#include "base/text.h"
#include "base/url.h"
#include "checks/foreign_address.h"
#include "checks/url_parameters.h"
#include "config/schemes.h"

namespace probegate::checks {
namespace {

constexpr std::uint16_t kPort = 3306;
constexpr std::string_view kForm = "is not mysql://user:password@host:3306/dbname";
constexpr const char* kSocket = "/run/mysqld/mysqld.sock";  // where the client library looks

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Reads {"rejectUnauthorized": true}, as used by TypeORM and PlanetScale.
std::optional<bool> rejects_unauthorized(std::string_view json) {
  std::string plain;
  for (const char c : to_lower(json)) {
    if (c != ' ' && c != '"' && c != '\'') plain += c;
  }
  if (plain == "{rejectunauthorized:true}") return true;
  if (plain == "{rejectunauthorized:false}") return false;
  return std::nullopt;
}

// Accepts the TLS modes of the MySQL client, Connector/J, Go, Prisma and Node.
Result<void> take_tls(const UrlParameter& parameter, const ParameterErrors& errors, MysqlAddress& address) {
  auto word = to_lower(parameter.value);
  std::replace(word.begin(), word.end(), '-', '_');
  if (is_one_of(word, {"disabled", "disable", "preferred", "prefer", "allow"}) || as_boolean(word) == false) {
    return {};  // same as without the parameter: no TLS
  }
  if (word == "verify_ca") {
    return failure(errors.wrong(
        parameter.name,
        "verifies the certificate but not its name; write tls: {ca_file: ..., server_name: ...}"));
  }
  const auto rejects = rejects_unauthorized(parameter.value);
  const bool verified = is_one_of(word, {"verify_identity", "verify_full", "strict"}) || rejects == true;
  const bool encrypted = is_one_of(word, {"required", "require", "skip_verify", "accept_invalid_certs"}) ||
                         rejects == false || as_boolean(word) == true;
  if (!verified && !encrypted)
    return failure(
        errors.wrong(parameter.name, "has an unknown value; write ssl-mode=REQUIRED, or use the key tls"));
  address.tls = address.tls || word != "accept_invalid_certs";
  address.verify = address.verify || verified;
  return {};
}

std::optional<Result<void>> obey(const UrlParameter& parameter, MysqlAddress& address,
                                 ParameterErrors& errors) {
  const auto name = plain_name(parameter.name);
  if (is_one_of(name, {"ssl", "sslmode", "tls", "usessl", "requiressl", "sslaccept"}))
    return take_tls(parameter, errors, address);
  if (is_one_of(name, {"socket", "unixsocket"})) {
    auto endpoint = Endpoint::parse("unix:" + parameter.value);
    if (!endpoint) return failure(errors.wrong(parameter.name, "must be the path of a unix socket"));
    address.endpoint = *std::move(endpoint);
  } else if (is_one_of(name, {"password", "pass", "pwd", "passwd"})) {
    errors.secret_seen();
    address.password = parameter.value;
  } else if (is_one_of(name, {"user", "username"})) {
    address.user = parameter.value;
  } else if (is_one_of(name, {"db", "database", "schema"})) {
    address.database = parameter.value;
  } else if (is_one_of(name, {"sslca", "sslcacerts", "sslrootcert"})) {
    address.ca_file = parameter.value;
  } else if (is_one_of(name, {"sslcert", "sslcertfile"})) {
    address.cert_file = parameter.value;
  } else if (is_one_of(name, {"sslkey", "sslkeyfile"})) {
    address.key_file = parameter.value;
  } else {
    return std::nullopt;
  }
  return Result<void>{};
}

Result<void> read_parameters(const Url& url, MysqlAddress& address) {
  ParameterErrors errors;
  for (const auto& parameter : url.parameters) {
    if (auto obeyed = obey(parameter, address, errors)) {
      if (!*obeyed) return failure(obeyed->error().message);
    } else if (!is_ignored_parameter(parameter.name)) {
      return failure(errors.unknown(parameter.name));
    }
  }
  if (url.fragment && !url.fragment->empty()) return failure("a # is written %23");
  return {};
}

}  // namespace

Result<MysqlAddress> read_mysql_address(std::string_view text) {
  if (const auto advice = foreign_address_advice(text, "mysql")) return failure(*advice);
  const auto url = parse_url(text, {.no_host = true});
  if (!url) return failure(std::string(kForm) + ": " + url.error().message);
  if (config::check_type_of(url->scheme) != "mysql")
    return failure(config::wrong_scheme(url->scheme, "mysql"));
  MysqlAddress address;
  address.user = url->user.value_or("");
  address.password = url->password.value_or("");
  add_secrets(*url, address.secrets);
  const auto path = url->decoded_path();
  if (!path) return failure("a % in the database name is written %25");
  address.database = path->substr(std::min<std::size_t>(1, path->size()));
  if (address.database.find('/') != std::string::npos)
    return failure("the path must be a database name, such as /app");
  address.endpoint = url->hosts.empty() ? Endpoint::unix_socket(kSocket) : url->endpoint(kPort);
  if (auto read = read_parameters(*url, address); !read) return failure(read.error().message);
  return address;
}

}  // namespace probegate::checks
