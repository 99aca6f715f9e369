// Listener: accepts connections on a loop from a descriptor that ListenSocket has bound.
//
// Owns: the descriptor it was given. Invariant: running out of descriptors neither spins nor stops the loop;
// connections then wait in the kernel's queue until there are some. That is why this is not uv_listen: libuv
// accepts and drops them by means of a spare descriptor, and once another thread has taken that one's place
// it accepts for ever in one turn. What the user does not want yet waits there too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "loop/stream.h"

namespace probegate::loop {

// Of all listeners of this process, other than connections that had left: any thread may ask.
struct AcceptFailures {
  std::uint64_t count;
  int error;  // errno of the latest
};
AcceptFailures accept_failures();

class Listener {
 public:
  // What becomes of the next connection in the queue.
  enum class Turn : std::uint8_t {
    take,
    leave,  // to other loops that accept from the same queue; still there after 2 ms it is taken all the same
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

  void resume();  // asks anew after Turn::wait
  // Everything that waits in the queue now. Whoever closes the last descriptor of a queue resets what is in
  // it.
  void accept_rest();

 private:
  class Acceptor;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace probegate::loop
