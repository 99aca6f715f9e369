#include "proxy/trust.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>

#include "base/text.h"

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

// In network order; IPv4 in the first four bytes, also if a dual-stack listener shows it as ::ffff:a.b.c.d.
struct Bytes {
  bool v6 = false;
  std::uint8_t at[16] = {};
};

Bytes bytes_of(const loop::Address& address) {
  Bytes bytes;
  if (address.family() != AF_INET6) {
    std::memcpy(bytes.at, &reinterpret_cast<const sockaddr_in*>(address.raw())->sin_addr, 4);
    return bytes;
  }
  const auto& in6 = reinterpret_cast<const sockaddr_in6*>(address.raw())->sin6_addr;
  bytes.v6 = !IN6_IS_ADDR_V4MAPPED(&in6);
  if (bytes.v6) {
    std::memcpy(bytes.at, &in6, 16);
  } else {
    std::memcpy(bytes.at, &in6.s6_addr[12], 4);
  }
  return bytes;
}

// Front ends write 203.0.113.7, 203.0.113.7:4711, 2001:db8::1 or [2001:db8::1]:4711.
std::string_view without_port(std::string_view entry) {
  if (entry.starts_with('[')) return entry.substr(1, entry.find(']') - 1);
  const auto colon = entry.find(':');
  return colon != 0 && colon == entry.rfind(':') ? entry.substr(0, colon) : entry;
}

bool is_further_hop(std::string_view entry, const std::vector<config::Cidr>& networks) {
  const std::string text(entry.substr(0, entry.find('%')));
  const auto address = loop::Address::literal(Endpoint::tcp(text, 0));
  return address && in_networks(*address, networks);
}

}  // namespace

bool in_networks(const loop::Address& address, const std::vector<config::Cidr>& networks) {
  const Bytes bytes = bytes_of(address);
  return std::any_of(networks.begin(), networks.end(), [&](const config::Cidr& network) {
    return network.v6 == bytes.v6 && prefix_equal(bytes.at, network.address, network.prefix);
  });
}

bool is_trusted(const loop::Address& peer, const config::Trust& trust) {
  if (peer.is_unix()) return true;  // the permissions of the socket file decide who may connect
  return trust.every_peer || in_networks(peer, trust.networks);
}

bool is_internal(const loop::Address& peer) {
  if (peer.is_unix()) return true;
  const Bytes bytes = bytes_of(peer);
  if (!bytes.v6) return bytes.at[0] == 127 || (bytes.at[0] == 169 && bytes.at[1] == 254);
  if (bytes.at[0] == 0xfe) return (bytes.at[1] & 0xc0) == 0x80;
  const auto* const loopback = reinterpret_cast<const std::uint8_t*>(&in6addr_loopback);
  return std::equal(std::begin(bytes.at), std::end(bytes.at), loopback);
}

std::string_view client_behind(std::string_view peer, const proto::HeaderFields& fields,
                               const config::Trust& trust) {
  std::string_view client = peer;
  // From the end backwards: entries nearer to the front come from hops further away and may be forged.
  for (std::size_t i = fields.size(); i > 0; --i) {
    const auto& field = *(fields.begin() + static_cast<std::ptrdiff_t>(i - 1));
    if (field.known != proto::FieldName::forwarded_for) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const auto comma = rest.rfind(',');
      const auto entry = trim(comma == std::string_view::npos ? rest : rest.substr(comma + 1));
      rest = rest.substr(0, comma == std::string_view::npos ? 0 : comma);
      if (entry.empty()) continue;
      client = without_port(entry);
      if (!is_further_hop(client, trust.networks)) return client;
    }
  }
  return client;
}

}  // namespace probegate::proxy
