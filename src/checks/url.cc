#include "checks/url.h"

#include <algorithm>

#include "base/text.h"

namespace probegate::checks {
namespace {

bool reads_as_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
}

Result<void> read_user_info(std::string_view info, Url& url) {
  const auto colon = info.find(':');
  url.user = percent_decoded(info.substr(0, colon));
  if (colon != std::string_view::npos) {
    url.raw_password = info.substr(colon + 1);
    url.password = percent_decoded(url.raw_password);
    if (!url.password) return failure("a % in the password is written %25");
  }
  if (!url.user) return failure("a % in the user is written %25");
  return {};
}

Result<void> read_host(std::string_view text, Url& url) {
  const bool bracketed = text.starts_with('[');
  const auto host_end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && host_end == std::string_view::npos) return failure("an IPv6 address is written [address]");
  url.host = bracketed ? text.substr(1, host_end - 1) : text.substr(0, host_end);
  if (url.host.empty()) return failure("the host is missing");
  if (url.host.find_first_of("[]@") != std::string::npos)
    return failure("the host is not a name or an address");
  auto rest =
      host_end == std::string_view::npos ? std::string_view{} : text.substr(host_end + (bracketed ? 1 : 0));
  if (rest.empty()) return {};
  url.port = rest.starts_with(':') ? parse_decimal<std::uint16_t>(rest.substr(1)) : std::nullopt;
  if (url.port.value_or(0) == 0) return failure("the port is a number from 1 to 65535");
  return {};
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

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port ? name + ":" + std::to_string(*port) : name;
}

Result<Url> parse_url(std::string_view text) {
  if (!reads_as_one_line(text)) return failure("contains blanks or control characters");
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos || scheme_end == 0) return failure("the scheme is missing");
  Url url;
  url.scheme = to_lower(text.substr(0, scheme_end));
  text.remove_prefix(scheme_end + 3);
  text = text.substr(0, text.find('#'));

  const auto authority = text.substr(0, text.find_first_of("/?"));
  const auto target = text.substr(authority.size());
  url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);

  const auto at = authority.rfind('@');
  if (at != std::string_view::npos) {
    if (auto read = read_user_info(authority.substr(0, at), url); !read) return failure(read.error().message);
  }
  const auto host = at == std::string_view::npos ? authority : authority.substr(at + 1);
  if (auto read = read_host(host, url); !read) return failure(read.error().message);
  return url;
}

}  // namespace probegate::checks
