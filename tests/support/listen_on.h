// A listening socket of a test's server, and a failure to get one as an exception.
#pragma once

#include <stdexcept>

#include "loop/listen_socket.h"

namespace probegate::test {

inline loop::ListenSocket listen_on(const Endpoint& endpoint) {
  auto socket = loop::ListenSocket::bind(endpoint);
  if (!socket) throw std::runtime_error(socket.error().message);
  return *std::move(socket);
}

// The descriptor for a Listener, which closes it.
inline int duplicate_of(const loop::ListenSocket& socket) {
  const auto fd = socket.duplicate();
  if (!fd) throw std::runtime_error(fd.error().message);
  return *fd;
}

}  // namespace probegate::test
