// Address: a resolved socket address, TCP or unix. A value; see Endpoint for names.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/endpoint.h"

namespace probegate::loop {

class Address {
 public:
  Address() = default;
  Address(const sockaddr* address, socklen_t size);

  // Only literal IP addresses and unix paths; empty for a name, which needs the Resolver.
  static std::optional<Address> literal(const Endpoint& endpoint);

  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }
  int family() const { return storage_.ss_family; }
  bool is_unix() const { return family() == AF_UNIX; }
  bool is_loopback() const;  // 127.0.0.0/8, ::1, and IPv4-mapped 127.0.0.0/8
  std::uint16_t port() const;
  std::string ip() const;         // "127.0.0.1", "::1" without zone; the path for unix
  std::string to_string() const;  // "127.0.0.1:80", "[::1]:80", "unix:/path"

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

}  // namespace probegate::loop
