// HoldQueue: requests that wait for the gate, in the order of arrival, released at a limited rate.
//
// Owns: nothing; a held session knows its place and leaves by itself (client gone, timeout). Invariant: for
// all data loops together (shared_limits.h) at most hold.max sessions wait, each for at most hold.timeout,
// and hold.per_second are released; the head of a held request is in memory, its body stays in the socket.
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
    std::uint64_t ticket;  // its position among the held requests of the whole process
  };
  using Place = std::list<Waiting>::iterator;

  explicit HoldQueue(Environment& environment);

  bool full() const;
  std::optional<Place> join(Session& session);  // empty if another loop has taken the last place
  void leave(Place place);

  // The gate or the drain changed: releases requests, or refuses all of them.
  void gate_changed();

 private:
  void release_some();
  void show_oldest();

  Environment& environment_;
  std::list<Waiting> waiting_;
  loop::Timer timer_;
};

}  // namespace probegate::proxy
