// Listener: accepts connections on a loop from a descriptor that ListenSocket has bound.
//
// Owns: the descriptor it was given. Invariant: without free descriptors the loop neither spins nor stops;
// connections then wait in the kernel's queue. uv_listen is not used, because libuv accepts and drops such
// connections with a spare descriptor, and once another thread has taken that descriptor it loops endlessly.
// Connections that the user does not want yet also wait in the queue.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "loop/stream.h"

namespace probegate::loop {

// Failed accepts of all listeners of this process, without clients that had disconnected. Any thread
// may call it.
struct AcceptFailures {
  std::uint64_t count;
  int error;  // errno of the latest
};
AcceptFailures accept_failures();

class Listener {
 public:
  // What to do with the next connection in the queue.
  enum class Turn : std::uint8_t {
    take,
    leave,  // to other loops that accept from the same queue; accepted here if still queued after 2 ms
    wait,   // until resume(), or for 50 ms
  };

  // Takes over the descriptor. `accepted` gets an open stream whose observer it must set before reading.
  // Throws std::runtime_error if the descriptor cannot be watched.
  Listener(
      Loop& loop, int descriptor, bool is_unix, std::function<void(Stream)> accepted,
      std::function<Turn()> turn = [] { return Turn::take; });
  Listener(Listener&&) noexcept;
  Listener& operator=(Listener&&) noexcept;
  ~Listener();

  void resume();  // asks again after Turn::wait
  // Accepts everything in the queue now. Closing the last descriptor of a queue resets the connections in it.
  void accept_rest();

 private:
  class Acceptor;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace probegate::loop
