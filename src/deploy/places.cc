#include "deploy/places.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace probegate::deploy {
namespace {

bool is_private(const std::string& host) {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    const auto bits = ntohl(v4.s_addr);
    return bits >> 24 == 10 || bits >> 20 == 0xAC1 || bits >> 16 == 0xC0A8 || bits >> 22 == 0x191;
  }
  in6_addr v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) return (v6.s6_addr[0] & 0xFE) == 0xFC;
  return host.size() > 9 && to_lower(host).ends_with(".internal");
}

// The hosts of "scheme://user@a:1,b:2/path", of "a:1" or "a", and of libpq's "host=a port=1".
std::vector<std::string> hosts_of(std::string_view text) {
  auto authority = text;
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
    authority = text.substr(scheme + 3);
    authority = authority.substr(0, authority.find_first_of("/?#"));
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  } else if (const auto host = text.find("host="); host != std::string_view::npos) {
    authority = text.substr(host + 5);
    authority = authority.substr(0, authority.find_first_of(" &"));
  }
  std::vector<std::string> hosts;
  for (auto one : split(authority, ',')) {
    if (one.starts_with('[')) {
      one = one.substr(1, one.find(']') - 1);
    } else if (one.find(':') == one.rfind(':')) {
      one = one.substr(0, one.find(':'));
    }
    hosts.emplace_back(one);
  }
  return hosts;
}

}  // namespace

std::string decoded_text(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto hex = [&](std::size_t at) {
      return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])) != 0;
    };
    if (text[i] == '%' && hex(i + 1) && hex(i + 2)) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<std::string> cloud_sql_instances(std::string_view text) {
  constexpr std::string_view kFolder = "/cloudsql/";
  std::vector<std::string> found;
  for (auto at = text.find(kFolder); at != std::string_view::npos; at = text.find(kFolder, at + 1)) {
    auto name = text.substr(at + kFolder.size());
    const auto fits = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == ':' || c == '_';
    };
    name = name.substr(
        0, static_cast<std::size_t>(std::find_if_not(name.begin(), name.end(), fits) - name.begin()));
    const auto colons = std::count(name.begin(), name.end(), ':');
    found.emplace_back(colons < 2 ? "PROJECT:REGION:INSTANCE" : std::string(name));
  }
  return found;
}

std::vector<std::string> private_hosts(std::string_view text) {
  std::vector<std::string> found;
  for (auto& host : hosts_of(text)) {
    if (is_private(host)) found.push_back(std::move(host));
  }
  return found;
}

}  // namespace probegate::deploy
