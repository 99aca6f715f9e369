#include "checks/foreign_address.h"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <utility>
#include <vector>

#include "base/redaction.h"
#include "base/text.h"
#include "base/url.h"
#include "config/schemes.h"

namespace probegate::checks {
namespace {

constexpr std::string_view kLogin = "USER:PASSWORD@";

// True for a name, an address or a path, which can be shown because it cannot contain a password.
bool is_place(std::string_view text) {
  return !text.empty() && text.size() <= 255 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("-._/:[]").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_port(std::string_view text) { return parse_decimal<std::uint16_t>(text).value_or(0) != 0; }

std::string written(std::string_view what, const std::string& url) {
  return "is written for " + std::string(what) + "; write " + url +
         ", with @ / ? # and % in USER and PASSWORD percent-encoded";
}

std::string generic(std::string_view what, std::string_view scheme) {
  return written(what, std::string(scheme) + "://" + std::string(kLogin) + "HOST/DATABASE");
}

// "jdbc:postgresql://db:5432/app?user=u&password=p"
std::string from_jdbc(std::string_view text, std::string_view scheme) {
  constexpr std::string_view kWhat = "JDBC";
  const auto driver = text.substr(0, text.find(':'));
  const auto type = config::check_type_of(driver);
  if (type.empty()) return config::wrong_scheme(driver, scheme == "mysql" ? "mysql" : "postgres");
  const auto url = parse_url(text, {.several_hosts = true, .no_host = true});
  if (!url || url->loose_at) return generic(kWhat, scheme);
  std::string out(type == "mysql" ? "mysql" : type == "postgres" ? "postgresql" : scheme);
  out += "://" + std::string(kLogin) + url->authority + url->path;
  const char* separator = "?";
  for (const auto& [name, value, raw] : url->parameters) {
    if (!is_harmless_parameter(name, value)) continue;
    out += std::exchange(separator, "&") + raw;
  }
  return written(kWhat, out);
}

// The value of the last "Name=value;" whose name is one of `names`.
std::string_view value_of(std::string_view text, char separator,
                          std::initializer_list<std::string_view> names) {
  std::string_view found;
  for (const auto part : split(text, separator)) {
    const auto equals = part.find('=');
    if (equals == part.npos) continue;
    const auto name = to_lower(trim(part.substr(0, equals)));
    if (std::find(names.begin(), names.end(), name) != names.end()) found = trim(part.substr(equals + 1));
  }
  return found;
}

// "Host=db;Port=5432;Username=u;Password=p;Database=app"
std::string from_list(std::string_view text, std::string_view scheme) {
  constexpr std::string_view kWhat = ".NET";
  auto host = value_of(text, ';', {"host", "server", "data source", "address", "addr", "network address"});
  const auto port = value_of(text, ';', {"port"});
  const auto database = value_of(text, ';', {"database", "initial catalog", "db"});
  if (host.starts_with("tcp:")) host.remove_prefix(4);
  if (!is_place(host)) return generic(kWhat, scheme);
  std::string url = std::string(scheme) + "://" + std::string(kLogin);
  const bool socket = host.starts_with('/');
  if (!socket) url += host;
  if (!socket && is_port(port)) url += ":" + std::string(port);
  if (is_place(database)) url += "/" + std::string(database);
  if (socket) url += (is_place(database) ? "?host=" : "/?host=") + std::string(host);
  const auto tls = to_lower(value_of(text, ';', {"ssl mode", "sslmode"}));
  constexpr std::string_view kModes[] = {"disable",  "prefer",     "require",
                                         "verifyca", "verifyfull", "required"};
  if (!socket && std::find(std::begin(kModes), std::end(kModes), tls) != std::end(kModes)) {
    url += scheme == "mysql"     ? "?ssl-mode=" + tls
           : tls == "verifyca"   ? "?sslmode=verify-ca"
           : tls == "verifyfull" ? "?sslmode=verify-full"
                                 : "?sslmode=" + tls;
  }
  return written(kWhat, url);
}

// "u:p@tcp(db:3306)/app?parseTime=true", "u:p@unix(/run/mysqld.sock)/app"
std::optional<std::string> from_go(std::string_view text) {
  constexpr std::string_view kWhat = "Go's MySQL driver";
  const bool socket = text.find("@unix(") != text.npos;
  const std::string_view begin = socket ? "@unix(" : "@tcp(";
  const auto at = text.rfind(begin);
  if (at == text.npos) return std::nullopt;
  const auto place_and_rest = text.substr(at + begin.size());
  const auto close = place_and_rest.find(')');
  const auto place = place_and_rest.substr(0, close);
  if (close == place_and_rest.npos || !is_place(place)) return generic(kWhat, "mysql");
  auto database = place_and_rest.substr(close + 1);
  database = database.substr(0, database.find('?'));
  if (database.starts_with('/')) database.remove_prefix(1);
  const std::string name = is_place(database) ? std::string(database) : "";
  const std::string login = "mysql://" + std::string(kLogin);
  return written(kWhat, socket ? login + "/" + name + "?unix_socket=" + std::string(place)
                               : login + std::string(place) + "/" + name);
}

// "cache.example.net:6380,password=x,ssl=True,abortConnect=False"
std::optional<std::string> from_stack_exchange(std::string_view text) {
  const auto comma = text.find(',');
  if (comma == text.npos || text.find('=') == text.npos || text.find("://") != text.npos) return std::nullopt;
  const auto place = text.substr(0, comma);
  const bool tls = iequals(value_of(text, ',', {"ssl"}), "true");
  const std::string scheme = tls ? "rediss" : "redis";
  const bool known = is_place(place) && place.find('/') == place.npos && place.find('.') != place.npos;
  return "is written for StackExchange.Redis; write " + scheme + "://:PASSWORD@" +
         (known ? std::string(place) : "HOST:PORT") + ", with @ / ? # and % in PASSWORD percent-encoded";
}

}  // namespace

std::optional<std::string> foreign_address_advice(std::string_view text, std::string_view scheme) {
  if (text.size() >= 5 && iequals(text.substr(0, 5), "jdbc:")) return from_jdbc(text.substr(5), scheme);
  if (text.find("://") != text.npos) return std::nullopt;
  if (scheme.starts_with("redis")) return from_stack_exchange(text);
  if (auto advice = from_go(text)) return advice;
  if (text.find(';') != text.npos && text.find('=') != text.npos) return from_list(text, scheme);
  if (text.starts_with("socket:")) {  // node-postgres
    const auto path = text.substr(7, text.find('?') - 7);
    const std::string where = is_place(path) ? std::string(path) : "/DIRECTORY";
    return written("node-postgres",
                   std::string(scheme) + "://" + std::string(kLogin) + "/DATABASE?host=" + where);
  }
  return std::nullopt;
}

}  // namespace probegate::checks
