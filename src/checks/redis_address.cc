#include "checks/redis_address.h"

#include <algorithm>

#include "base/text.h"
#include "checks/foreign_address.h"
#include "checks/url_parameters.h"
#include "config/schemes.h"

namespace probegate::checks {
namespace {

constexpr std::string_view kForm = "is not redis://user:password@host:6379/0";
constexpr std::string_view kSentinels =
    "Sentinels are written redis+sentinel://HOST:26379,HOST:26379/NAME, where NAME is the master's";
constexpr int kMostDatabases = 1'000'000;

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::optional<bool> verification(std::string_view value) {
  const auto word = to_lower(value);
  if (is_one_of(word, {"none", "cert_none", "optional", "cert_optional"})) return false;
  if (is_one_of(word, {"required", "cert_required"})) return true;
  return std::nullopt;
}

// Applies a parameter of Redis or TLS; empty for any other name.
std::optional<Result<void>> obey(const UrlParameter& parameter, RedisAddress& address,
                                 ParameterErrors& errors) {
  const auto name = plain_name(parameter.name);
  const auto& value = parameter.value;
  if (is_one_of(name, {"password", "pass", "pwd"})) {
    errors.secret_seen();
    address.password = value;
  } else if (is_one_of(name, {"username", "user"})) {
    address.user = value;
  } else if (is_one_of(name, {"db", "database", "virtualhost"})) {
    const auto database = parse_decimal<int>(value);
    if (!database || *database > kMostDatabases)
      return failure(errors.wrong(parameter.name, "must be a database number"));
    address.database = *database;
  } else if (name == "sslcertreqs") {
    address.verify = verification(value);
    if (!address.verify)
      return failure(errors.wrong(parameter.name, "must be one of none, optional, required"));
  } else if (is_one_of(name, {"insecure", "sslinsecure", "tlsinsecure", "skipverify"})) {
    if (as_boolean(value).value_or(true)) address.verify = false;
  } else if (is_one_of(name, {"sslcacerts", "sslcafile", "sslca"})) {
    address.ca_file = value;
  } else if (is_one_of(name, {"sslcertfile", "sslcert"})) {
    address.cert_file = value;
  } else if (is_one_of(name, {"sslkeyfile", "sslkey"})) {
    address.key_file = value;
  } else if (is_one_of(name, {"ssl", "tls", "usessl"})) {
    const auto wanted = as_boolean(value);
    if (!wanted) return failure(errors.wrong(parameter.name, "must be true or false"));
    address.tls = address.tls || *wanted;
  } else if (is_one_of(name, {"mastername", "mastergroup", "sentinelmasterid", "sentinelmaster"})) {
    return failure(std::string(kSentinels));
  } else {
    return std::nullopt;
  }
  return Result<void>{};
}

Result<void> read_parameters(RedisAddress& address) {
  ParameterErrors errors;
  for (const auto& parameter : address.url.parameters) {
    if (auto obeyed = obey(parameter, address, errors)) {
      if (!*obeyed) return failure(obeyed->error().message);
    } else if (!is_ignored_parameter(parameter.name)) {
      return failure(errors.unknown(parameter.name));
    }
  }
  const auto fragment = address.url.fragment.value_or("");
  if (iequals(fragment, "insecure")) {
    address.verify = false;
  } else if (!fragment.empty()) {
    return failure("a # is written %23");
  }
  return {};
}

// True for "unix", "redis+socket" and "redis+unix".
bool is_socket_scheme(std::string_view scheme) {
  return scheme == "unix" || scheme.ends_with("+socket") || scheme.ends_with("+unix");
}

Result<void> read_socket(RedisAddress& address) {
  const auto path = address.url.decoded_path();
  if (!address.url.hosts.empty() || !path || !path->starts_with('/'))
    return failure("a unix socket is written unix:/absolute/path, with ?db=1 for its database");
  const auto endpoint = Endpoint::parse("unix:" + *path);
  if (!endpoint) return failure(endpoint.error().message);
  address.socket = endpoint->path;
  return {};
}

Result<void> read_scheme(RedisAddress& address) {
  const auto& scheme = address.url.scheme;
  if (is_socket_scheme(scheme)) return read_socket(address);
  if (is_one_of(scheme, {"sentinel", "redis-sentinel", "rediss-sentinel"}))
    return failure(std::string(kSentinels));
  const auto plus = std::min(scheme.find('+'), scheme.size());
  const auto base = scheme.substr(0, plus);
  address.mode = scheme.substr(std::min(plus + 1, scheme.size()));
  const bool known = address.mode.empty() || address.mode == "sentinel" || address.mode == "cluster";
  if (config::check_type_of(base) != "redis" || !known) return failure(config::wrong_scheme(scheme, "redis"));
  address.tls = is_one_of(base, {"rediss", "valkeys", "keydbs"});
  if (!address.url.hosts.empty()) return {};
  return failure(
      "the host is missing; a unix socket is written unix:/absolute/path, with ?db=1 for its database");
}

}  // namespace

Result<RedisAddress> read_redis_address(std::string_view text) {
  if (const auto advice = foreign_address_advice(text, "redis")) return failure(*advice);
  auto url = parse_url(text, {.several_hosts = true, .no_host = true});
  if (!url) return failure(std::string(kForm) + ": " + url.error().message);
  RedisAddress address;
  address.url = *std::move(url);
  address.user = address.url.user.value_or("");
  address.password = address.url.password;
  if (auto read = read_scheme(address); !read) return failure(read.error().message);
  if (auto read = read_parameters(address); !read) return failure(read.error().message);
  return address;
}

}  // namespace probegate::checks
