// HoldQueue: requests that wait for the gate, first come first served, released at a bounded rate.
//
// Owns: nothing; a session that is held knows its place and leaves by itself (client gone, time over).
// Invariant: at most hold.max sessions of this data loop wait, each for at most hold.timeout; a held request
// has its head in memory and its body in the socket.
#pragma once

#include <cstdint>
#include <list>

#include "loop/timer.h"
#include "proxy/environment.h"

namespace probegate::proxy {

class HoldQueue {
 public:
  using Place = std::list<Session*>::iterator;

  explicit HoldQueue(Environment& environment);

  bool full() const { return waiting_.size() >= environment_.config->proxy.hold.max; }
  Place join(Session& session);
  void leave(Place place);

  // The gate or the drain changed: releases, or refuses everybody.
  void gate_changed();

 private:
  void release_some();

  Environment& environment_;
  std::list<Session*> waiting_;
  loop::Timer timer_;
};

}  // namespace probegate::proxy
