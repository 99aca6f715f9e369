// TCP keep-alive: a peer that disappeared (a suspended laptop, a lost network) is detected after a minute of
// silence; the system default is two hours.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace probegate::loop {

// For a TCP socket; connections accepted from a listening socket inherit it.
inline void keep_alive(int descriptor) {
  constexpr int kOn = 1, kIdle = 30, kInterval = 10, kProbes = 3;  // seconds, but for the number of probes
  ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &kOn, sizeof kOn);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &kIdle, sizeof kIdle);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &kInterval, sizeof kInterval);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof kProbes);
}

}  // namespace probegate::loop
