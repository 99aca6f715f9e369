// FdWatch: readiness of a descriptor that a library owns (libpq, c-ares, curl).
//
// Trap: libuv allows one watch per descriptor, and libraries replace their socket, sometimes under the same
// number. So destroy the watch before every library call that may close or replace it and make a new one
// after. An error (EPOLLERR) arrives with the watch already stopped; it is reported as readable and writable,
// so that the library looks and reads the socket's own error.
#pragma once

#include <functional>

#include "loop/handle.h"

namespace probegate::loop {

class FdWatch {
 public:
  struct Ready {
    bool readable;
    bool writable;
    bool error;
  };
  // The descriptor stays the library's. Throws std::runtime_error if it cannot be watched.
  FdWatch(Loop& loop, int fd, std::function<void(Ready)> callback);

  void want(bool read, bool write);  // neither: paused

 private:
  struct Block {
    uv_poll_t uv;
    Loop& loop;
    ErrorSink* sink;
    FdWatch* owner;
    std::function<void(Ready)> callback;
  };
  static void ready(uv_poll_t* handle, int status, int events);
  Handle<Block> block_;
};

}  // namespace probegate::loop
