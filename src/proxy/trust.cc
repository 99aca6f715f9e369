#include "proxy/trust.h"

#include <netinet/in.h>

#include <cstring>

namespace probegate::proxy {
namespace {

bool prefix_equal(const std::uint8_t* a, const std::uint8_t* b, int bits) {
  const int whole = bits / 8;
  if (std::memcmp(a, b, static_cast<std::size_t>(whole)) != 0) return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (a[whole] & mask) == (b[whole] & mask);
}

}  // namespace

bool in_networks(const loop::Address& address, const std::vector<config::Cidr>& networks) {
  if (address.is_unix()) return true;  // whoever reaches our socket file has been let in by its permissions
  std::uint8_t bytes[16] = {};
  bool v6 = address.family() == AF_INET6;
  if (v6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6*>(address.raw())->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&in6)) {
      std::memcpy(bytes, &in6.s6_addr[12], 4);
      v6 = false;
    } else {
      std::memcpy(bytes, &in6, 16);
    }
  } else {
    std::memcpy(bytes, &reinterpret_cast<const sockaddr_in*>(address.raw())->sin_addr, 4);
  }
  for (const auto& network : networks) {
    if (network.v6 == v6 && prefix_equal(bytes, network.address, network.prefix)) return true;
  }
  return false;
}

}  // namespace probegate::proxy
