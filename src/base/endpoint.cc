#include "base/endpoint.h"

#include "base/text.h"

namespace probegate {
namespace {

constexpr std::size_t kUnixPathLimit = 107;  // sizeof(sockaddr_un::sun_path) - 1

Result<Endpoint> parse_unix(std::string_view path) {
  constexpr const char* kForm = "a unix socket is written unix:/absolute/path";
  if (path.starts_with("///")) path.remove_prefix(2);  // as in URLs
  if (path.starts_with("//")) return failure(std::string(kForm) + ", without user, password and host");
  if (path.empty() || path.front() != '/') return failure(kForm);
  if (path.find_first_of("?#") != std::string_view::npos)
    return failure(std::string(kForm) + ", without ? and #");
  if (path.size() > kUnixPathLimit) {
    return failure("the path of a unix socket is at most 107 bytes, this one has " +
                   std::to_string(path.size()));
  }
  return Endpoint::unix_socket(std::string(path));
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text.substr(5));
  if (text.find("://") != std::string_view::npos) return failure("expected host:port without a scheme");

  std::string_view host;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find("]:");
    if (close == std::string_view::npos) return failure("an IPv6 address is written [address]:port");
    host = text.substr(1, close - 1);
    port = text.substr(close + 2);
    if (host.find(':') == std::string_view::npos) return failure("brackets are only for IPv6 addresses");
  } else {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return failure("expected host:port, [v6]:port or unix:/path");
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (host.find(':') != std::string_view::npos) return failure("an IPv6 address is written [address]:port");
  }
  if (host.empty()) return failure("the host is missing; expected host:port, [v6]:port or unix:/path");
  if (host.find_first_of(" \t/@[]") != std::string_view::npos) {
    return failure("the host is not a valid name or address");
  }
  const auto number = parse_decimal<std::uint16_t>(port);
  if (!number) return failure("the port must be a number from 0 to 65535");
  return Endpoint::tcp(std::string(host), *number);
}

std::string Endpoint::to_string() const {
  if (is_unix()) return "unix:" + path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace probegate
