#include "config/own_addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "config/secrets.h"

namespace probegate::config {
namespace {

constexpr const char* kHostsFile = "/etc/hosts";
constexpr std::size_t kHostsBytes = 256 * 1024;

// IPv4 addresses are stored as IPv4-mapped IPv6 addresses.
using Address = std::array<std::uint8_t, 16>;

Address mapped(const in_addr& v4) {
  Address address{};
  address[10] = address[11] = 0xFF;
  std::memcpy(&address[12], &v4, 4);
  return address;
}

bool is_v4(const Address& address) {
  const Address prefix = mapped({});
  return std::equal(prefix.begin(), prefix.begin() + 12, address.begin());
}

// Accepts all address forms that connect() accepts, such as "127.1" and "0x7f000001".
std::optional<Address> parse_address(const std::string& host) {
  in_addr v4{};
  if (inet_aton(host.c_str(), &v4) == 1) return mapped(v4);
  Address address{};
  const auto zone = host.find('%');
  if (inet_pton(AF_INET6, host.substr(0, zone).c_str(), address.data()) == 1) return address;
  return std::nullopt;
}

bool is_any(const Address& address) { return address == Address{} || address == mapped({}); }

bool is_loopback(const Address& address) {
  if (is_v4(address)) return address[12] == 127;
  Address loopback{};
  loopback[15] = 1;
  return address == loopback;
}

std::vector<Address> interface_addresses() {
  std::vector<Address> found;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return found;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, freeifaddrs);
  for (const auto* one = first; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    if (one->ifa_addr->sa_family == AF_INET) {
      found.push_back(mapped(reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr));
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      Address address{};
      std::memcpy(address.data(), &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr, 16);
      found.push_back(address);
    }
  }
  return found;
}

// The addresses of a name without its final dot: loopback for "localhost" and its subdomains (RFC 6761),
// otherwise from the hosts file.
std::vector<Address> named_addresses(std::string_view name, Purpose purpose) {
  const auto loopback = [] {
    return std::vector<Address>{*parse_address("127.0.0.1"), *parse_address("::1")};
  };
  if (iequals(name, "localhost") || to_lower(name).ends_with(".localhost")) return loopback();
  if (purpose == Purpose::render) return {};
  std::vector<Address> found;
  const auto hosts = read_file(kHostsFile, kHostsBytes).value_or("");
  for (const auto whole : split(hosts, '\n')) {
    std::string line(whole.substr(0, whole.find('#')));
    std::replace(line.begin(), line.end(), '\t', ' ');
    std::optional<Address> address;
    for (const auto word : split(line, ' ')) {
      if (word.empty()) continue;
      if (!address) {
        address = parse_address(std::string(word));
        if (!address) break;
      } else if (iequals(word, name)) {
        found.push_back(*address);
      }
    }
  }
  char own[256] = "";
  gethostname(own, sizeof own - 1);
  if (!found.empty() || !iequals(name, own)) return found;
  found = interface_addresses();
  return found;
}

std::vector<Address> addresses_of(std::string_view host, Purpose purpose) {
  if (host == "*") return {Address{}};
  if (const auto address = parse_address(std::string(host))) return {*address};
  if (host.ends_with('.')) host.remove_suffix(1);
  return named_addresses(host, purpose);
}

bool is_own(const Address& address, Purpose purpose) {
  if (is_loopback(address)) return true;
  if (purpose == Purpose::render) return false;
  const auto own = interface_addresses();
  return std::find(own.begin(), own.end(), address) != own.end();
}

// A connection to the wildcard address reaches the loopback address.
Address connected(const Address& target) {
  if (!is_any(target)) return target;
  return *parse_address(is_v4(target) ? "127.0.0.1" : "::1");
}

bool accepts(const Address& listen, const Address& target, Purpose purpose) {
  const auto real = connected(target);
  if (!is_any(listen)) return listen == real;
  // A socket on the IPv6 wildcard accepts IPv4 too; one on the IPv4 wildcard accepts only IPv4.
  return (!is_v4(listen) || is_v4(real)) && is_own(real, purpose);
}

}  // namespace

bool leads_to(const Endpoint& target, const Endpoint& listen, Purpose purpose) {
  if (target.is_unix() || listen.is_unix()) return target.is_unix() && target == listen;
  if (target.port != listen.port || target.port == 0) return false;
  if (iequals(target.host, listen.host)) return true;
  const auto targets = addresses_of(target.host, purpose);
  const auto listens = addresses_of(listen.host, purpose);
  return std::any_of(targets.begin(), targets.end(), [&](const Address& to) {
    return std::any_of(listens.begin(), listens.end(),
                       [&](const Address& at) { return accepts(at, to, purpose); });
  });
}

}  // namespace probegate::config
