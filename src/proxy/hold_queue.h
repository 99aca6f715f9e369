// HoldQueue: requests that wait for the gate, first come first served, released at a bounded rate.
//
// Owns: nothing; a session that is held knows its place and leaves by itself (client gone, time over).
// Invariant: at most hold.max sessions wait, each for at most hold.timeout, and hold.per_second are released,
// all data loops together (shared_limits.h); a held request has its head in memory and its body in the
// socket.
#pragma once

#include <cstdint>
#include <list>
#include <optional>

#include "loop/timer.h"
#include "proxy/environment.h"

namespace probegate::proxy {

class HoldQueue {
 public:
  struct Waiting {
    Session* session;
    std::uint64_t ticket;  // its place in the order of the whole process
  };
  using Place = std::list<Waiting>::iterator;

  explicit HoldQueue(Environment& environment);

  bool full() const;
  std::optional<Place> join(Session& session);  // nothing when another loop has taken the last place
  void leave(Place place);

  // The gate or the drain changed: releases, or refuses everybody.
  void gate_changed();

 private:
  void release_some();
  void show_oldest();

  Environment& environment_;
  std::list<Waiting> waiting_;
  loop::Timer timer_;
};

}  // namespace probegate::proxy
