#include "probe/own_host.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/text.h"

namespace probegate::probe {
namespace {

bool is_address(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

}  // namespace

bool is_own_host(std::string_view host, std::span<const std::string> names) {
  if (host.empty()) return true;
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    return end != std::string_view::npos && is_address(std::string(host.substr(1, end - 1)));
  }
  std::string name = to_lower(host.substr(0, host.find(':')));
  if (name.ends_with('.')) name.pop_back();
  if (name == "localhost" || name.ends_with(".localhost") || is_address(name)) return true;
  return std::any_of(names.begin(), names.end(), [&](const auto& own) { return to_lower(own) == name; });
}

}  // namespace probegate::probe
