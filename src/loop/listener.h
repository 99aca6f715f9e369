// Listener: accepts connections on a loop from a descriptor that ListenSocket has bound.
//
// Invariant: running out of descriptors neither spins nor stops the loop; the connection in question is
// dropped.
#pragma once

#include <functional>

#include "loop/handle.h"
#include "loop/stream.h"

namespace probegate::loop {

class Listener {
 public:
  // Takes its own duplicate of the socket. `accepted` gets an open stream whose observer it must set before
  // reading.
  Listener(Loop& loop, int descriptor, bool is_unix, std::function<void(Stream)> accepted);

 private:
  struct Block {
    union Any {
      uv_handle_t handle;
      uv_stream_t stream;
      uv_tcp_t tcp;
      uv_pipe_t pipe;
    } uv;
    Loop& loop;
    ErrorSink* sink;
    Listener* owner;
    std::function<void(Stream)> accepted;
  };
  static void accept(Block& block);
  Handle<Block> block_;
};

}  // namespace probegate::loop
