#include "base/url.h"

#include <algorithm>
#include <charconv>

#include "base/redaction.h"
#include "base/text.h"

namespace probegate {
namespace {

constexpr std::string_view kHidden = "***";

bool reads_as_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
}

bool is_scheme(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !text.empty() && letter(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

tl::unexpected<Error> with_escapes(std::string_view what) {
  return failure(std::string(what) + "; " + std::string(kEscapes));
}

Result<void> read_user_info(std::string_view info, Url& url) {
  const auto colon = info.find(':');
  url.raw_user_info = info;
  url.loose_at = info.find('@') != std::string_view::npos;
  url.user = percent_decoded(info.substr(0, colon));
  if (!url.user) return failure("a % in the user is written %25");
  if (colon == std::string_view::npos) return {};
  url.raw_password = info.substr(colon + 1);
  url.password = percent_decoded(url.raw_password);
  if (!url.password) return failure("a % in the password is written %25");
  return {};
}

bool is_ipv6(std::string_view text) {
  return text.find(':') != std::string_view::npos &&
         text.substr(0, text.find('%')).find_first_not_of("0123456789abcdefABCDEF:.") ==
             std::string_view::npos &&
         text.find_first_of("[]/@?#\\") == std::string_view::npos;
}

Result<UrlHost> read_host(std::string_view text, UrlRules rules) {
  UrlHost host;
  const bool bracketed = text.starts_with('[');
  const auto end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && end == std::string_view::npos) return failure("an IPv6 address is written [address]");
  const auto name = percent_decoded(bracketed ? text.substr(1, end - 1) : text.substr(0, end));
  if (!name) return with_escapes("the host is not a name or an address");
  host.name = *name;
  if (host.name.empty()) return failure("the host is missing");
  const bool socket = rules.socket_host && !bracketed && host.name.starts_with('/');
  const bool plain = host.name.find_first_of("[]@:/?#\\%\"'<>^`{|}") == std::string::npos;
  if (!reads_as_one_line(host.name) || !(bracketed ? is_ipv6(host.name) : socket || plain)) {
    return with_escapes("the host is not a name or an address");
  }
  const auto rest =
      end == std::string_view::npos ? std::string_view{} : text.substr(end + (bracketed ? 1 : 0));
  if (rest.empty()) return host;
  host.port = rest.starts_with(':') ? parse_decimal<std::uint16_t>(rest.substr(1)) : std::nullopt;
  if (host.port.value_or(0) == 0) return with_escapes("the port must be a number from 1 to 65535");
  return host;
}

Result<void> read_hosts(std::string_view text, UrlRules rules, Url& url) {
  url.authority = text;
  if (text.empty()) {
    if (!rules.no_host) return failure("the host is missing");
    return {};
  }
  const auto hosts = split(text, ',');
  if (hosts.size() > 1 && !rules.several_hosts) return failure("names several hosts; only one is allowed");
  for (const auto one : hosts) {
    auto host = read_host(one, rules);
    if (!host) return failure(host.error().message);
    url.hosts.push_back(*std::move(host));
  }
  return {};
}

Result<void> read_query(std::string_view query, Url& url) {
  for (const auto raw : split(query, '&')) {
    if (raw.empty()) continue;
    const auto equals = std::min(raw.find('='), raw.size());
    auto name = percent_decoded(raw.substr(0, equals));
    auto value = percent_decoded(raw.substr(std::min(equals + 1, raw.size())));
    if (!name || !value) return failure("a % in the query is written %25");
    url.parameters.push_back({*std::move(name), *std::move(value), std::string(raw)});
  }
  return {};
}

// Path, query and fragment.
Result<void> read_rest(std::string_view text, Url& url) {
  if (const auto hash = text.find('#'); hash != std::string_view::npos) {
    url.fragment = text.substr(hash + 1);
    text = text.substr(0, hash);
  }
  const auto question = std::min(text.find('?'), text.size());
  url.path = text.substr(0, question);
  url.target = url.path.empty() ? "/" + std::string(text) : std::string(text);
  return question == text.size() ? Result<void>{} : read_query(text.substr(question + 1), url);
}

std::string shown_query(const std::vector<UrlParameter>& parameters) {
  std::string out;
  for (const auto& parameter : parameters) {
    out += out.empty() ? "?" : "&";
    out += is_harmless_parameter(parameter.name, parameter.value) ? parameter.raw : std::string(kHidden);
  }
  return out;
}

// "unix:/path" has no authority, "unix:///path" has an empty one.
Result<Url> parse_unix(std::string_view text) {
  Url url;
  url.scheme = "unix";
  if (auto read = read_rest(text, url); !read) return failure(read.error().message);
  if (!url.path.starts_with('/')) return failure("a unix socket is written unix:/absolute/path");
  return url;
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const auto digits = text.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
  return out;
}

const std::string& Url::host() const {
  static const std::string kNone;
  return hosts.empty() ? kNone : hosts.front().name;
}

std::optional<std::uint16_t> Url::port() const { return hosts.empty() ? std::nullopt : hosts.front().port; }

Endpoint Url::endpoint(std::uint16_t default_port) const {
  return Endpoint::tcp(host(), port().value_or(default_port));
}

std::optional<std::string> Url::decoded_path() const { return percent_decoded(path); }

const std::string* Url::parameter(std::string_view name) const {
  const auto found = std::find_if(parameters.rbegin(), parameters.rend(),
                                  [&](const UrlParameter& one) { return iequals(one.name, name); });
  return found == parameters.rend() ? nullptr : &found->value;
}

std::string Url::shown() const {
  const std::string begin = scheme + (scheme == "unix" && !user ? ":" : "://") + (user ? "***@" : "");
  return begin + authority + path + shown_query(parameters) + (fragment ? "#***" : "");
}

std::string Url::shown_target() const { return (path.empty() ? "/" : path) + shown_query(parameters); }

std::string Url::encoded() const {
  std::string info;
  if (user) info = percent_encoded(*user) + (password ? ":" + percent_encoded(*password) : "") + "@";
  return scheme + "://" + info + authority + target;
}

Result<Url> parse_url(std::string_view text, UrlRules rules) {
  if (!reads_as_one_line(text)) return failure("contains whitespace or control characters");
  const auto colon = text.find(':');
  const auto scheme = text.substr(0, std::min(colon, text.size()));
  if (colon == std::string_view::npos || !is_scheme(scheme)) return failure("the scheme is missing");
  const auto behind = text.substr(colon + 1);
  if (!behind.starts_with("//")) {
    if (to_lower(scheme) == "unix") return parse_unix(behind);
    return failure("the scheme is missing");
  }
  const auto rest = behind.substr(2);
  const auto authority = rest.substr(0, rest.find_first_of("/?#"));
  const auto tail = rest.substr(authority.size());
  // The last "@" ends the user-info. If it is after the authority, an unescaped character of the password
  // ended the authority too early.
  if (tail.find('@') != std::string_view::npos) {
    return with_escapes("has an @ after the host, so the end of the password is ambiguous");
  }

  Url url;
  url.scheme = to_lower(scheme);
  const auto at = authority.rfind('@');
  if (at != std::string_view::npos) {
    if (auto read = read_user_info(authority.substr(0, at), url); !read) return failure(read.error().message);
  }
  if (url.scheme == "unix") rules.no_host = true;
  auto read = read_hosts(at == std::string_view::npos ? authority : authority.substr(at + 1), rules, url);
  if (read) read = read_rest(tail, url);
  if (!read) return failure(read.error().message);
  if (url.scheme != "unix") return url;
  if (!url.hosts.empty()) return failure("a unix socket has no host; it is written unix:/absolute/path");
  if (!url.path.starts_with('/')) return failure("a unix socket is written unix:/absolute/path");
  return url;
}

void add_secrets(const Url& url, Secrets& secrets) {
  secrets.push_back(url.password.value_or(""));
  secrets.push_back(url.raw_password);
  if (url.user && url.password) secrets.add_credentials(*url.user, *url.password);
  if (url.user && !url.password) secrets.push_back(*url.user);  // a user alone is a token
  if (url.user) secrets.add_phrase('"' + *url.user + '"');
  for (const auto& [name, value, raw] : url.parameters) {
    if (!is_harmless_parameter(name, value)) secrets.push_back(value.empty() ? name : value);
  }
  if (url.fragment) secrets.push_back(*url.fragment);
  for (const auto& host : url.hosts) secrets.allow(host.name);
}

std::string redact_url(std::string_view text) {
  if (text.starts_with('/')) {
    Url url;
    return read_rest(text, url) ? url.path + shown_query(url.parameters) + (url.fragment ? "#***" : "")
                                : std::string(kHidden);
  }
  if (const auto url = parse_url(text, {.several_hosts = true, .no_host = true, .socket_host = true}))
    return url->shown();
  const auto scheme = text.substr(0, std::min(text.find("://"), text.size()));
  if (scheme.size() < text.size()) {
    return is_scheme(scheme) ? std::string(scheme) + "://" + std::string(kHidden) : std::string(kHidden);
  }
  const auto at = text.rfind('@');
  const bool may_hold_password = (text.starts_with("unix:") && text.find_first_of("@?") != text.npos) ||
                                 (at != text.npos && text.find(':') < at);
  return may_hold_password ? std::string(kHidden) : std::string(text);
}

}  // namespace probegate
