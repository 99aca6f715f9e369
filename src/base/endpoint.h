// An address to listen on or connect to: host:port, [v6]:port or unix:/path. A value type; it does
// not resolve names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace probegate {

struct Endpoint {
  enum class Kind { tcp, unix_socket };

  Kind kind = Kind::tcp;
  std::string host;        // tcp: a name or a literal address, IPv6 without brackets
  std::uint16_t port = 0;  // tcp; 0 lets the kernel choose a free port when listening
  std::string path;        // unix_socket: at most 107 bytes, the limit of sun_path

  static Endpoint tcp(std::string host, std::uint16_t port) { return {Kind::tcp, std::move(host), port, {}}; }
  static Endpoint unix_socket(std::string path) { return {Kind::unix_socket, {}, 0, std::move(path)}; }

  // Accepts the three forms above; the error names the form that was expected.
  static Result<Endpoint> parse(std::string_view text);

  bool is_unix() const { return kind == Kind::unix_socket; }
  std::string to_string() const;  // in a form that parse() reads
  bool operator==(const Endpoint&) const = default;
};

}  // namespace probegate
