// Listener: accepts connections on a loop from a descriptor that ListenSocket has bound.
//
// Owns: the descriptor it was given. Invariant: running out of descriptors neither spins nor stops the loop;
// connections then wait in the kernel's queue until there are some. That is why this is not uv_listen: libuv
// accepts and drops them by means of a spare descriptor, and once another thread has taken that one's place
// it accepts for ever in one turn.
#pragma once

#include <functional>
#include <memory>

#include "loop/stream.h"

namespace probegate::loop {

class Listener {
 public:
  // Takes over the descriptor. `accepted` gets an open stream whose observer it must set before reading.
  // Throws std::runtime_error if the descriptor cannot be watched.
  Listener(Loop& loop, int descriptor, bool is_unix, std::function<void(Stream)> accepted);
  Listener(Listener&&) noexcept;
  Listener& operator=(Listener&&) noexcept;
  ~Listener();

 private:
  class Acceptor;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace probegate::loop
