// TCP keep-alive: how soon a peer that vanished without a word (a closed lid, a lost network) is given up:
// after a minute of silence, where the system's own default is two hours.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace probegate::loop {

// Of a TCP socket; what a listening one accepts inherits it.
inline void keep_alive(int descriptor) {
  constexpr int kOn = 1, kIdle = 30, kInterval = 10, kProbes = 3;  // seconds, but for the number of probes
  ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &kOn, sizeof kOn);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &kIdle, sizeof kIdle);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &kInterval, sizeof kInterval);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof kProbes);
}

}  // namespace probegate::loop
