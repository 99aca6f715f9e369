#include "loop/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace probegate::loop {
namespace {

// Hand-written, because inet_ntop uses sprintf, which costs 1,700 instructions per session.
std::string dotted(const void* v4) {
  const auto* const bytes = static_cast<const unsigned char*>(v4);
  std::array<char, 4 * 4> text;
  char* end = text.data();
  for (int i = 0; i < 4; ++i) {
    end = std::to_chars(end, end + 3, bytes[i]).ptr;
    *end++ = '.';
  }
  return {text.data(), end - 1};
}

}  // namespace

Address::Address(const sockaddr* address, socklen_t size)
    : size_(std::min(size, static_cast<socklen_t>(sizeof storage_))) {
  std::memcpy(&storage_, address, size_);
}

std::optional<Address> Address::literal(const Endpoint& endpoint) {
  if (endpoint.is_unix()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    endpoint.path.copy(address.sun_path, sizeof address.sun_path - 1);
    return Address(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  sockaddr_in v4{};
  if (inet_pton(AF_INET, endpoint.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    return Address(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET6, endpoint.host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    return Address(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
  }
  return std::nullopt;
}

bool Address::is_loopback() const {
  if (family() == AF_INET)
    return (ntohl(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr.s_addr) >> 24) == 127;
  if (family() != AF_INET6) return false;
  const auto& v6 = reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

std::uint16_t Address::port() const {
  switch (family()) {
    case AF_INET: return ntohs(reinterpret_cast<const sockaddr_in&>(storage_).sin_port);
    case AF_INET6: return ntohs(reinterpret_cast<const sockaddr_in6&>(storage_).sin6_port);
    default: return 0;
  }
}

std::string Address::ip() const {
  switch (family()) {
    case AF_INET: return dotted(&reinterpret_cast<const sockaddr_in&>(storage_).sin_addr);
    case AF_INET6: {
      const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage_).sin6_addr;
      // A dual-stack listener sees IPv4 clients as ::ffff:a.b.c.d; logs and trust lists use a.b.c.d.
      if (IN6_IS_ADDR_V4MAPPED(&v6)) return dotted(&v6.s6_addr[12]);
      char text[INET6_ADDRSTRLEN] = "";
      inet_ntop(AF_INET6, &v6, text, sizeof text);
      return text;
    }
    case AF_UNIX: return reinterpret_cast<const sockaddr_un&>(storage_).sun_path;
    default: return "unknown";
  }
}

std::string Address::to_string() const {
  if (is_unix()) return "unix:" + ip();
  return Endpoint::tcp(ip(), port()).to_string();
}

}  // namespace probegate::loop
