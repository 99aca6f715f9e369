// FdWatch: readiness of a descriptor that a library owns (libpq, c-ares, curl), or that is listened on.
//
// A descriptor can have only one watch, and libraries may replace their socket, sometimes under the same
// number. So destroy the watch before every library call that may close or replace the socket, and make a new
// one after it. An error pauses the watch, which would otherwise report it endlessly; it is reported as
// readable and writable, so that the library reads the error of the socket.
#pragma once

#include <functional>
#include <memory>

#include "loop/loop.h"

namespace probegate::loop {

class FdWatch {
 public:
  struct Ready {
    bool readable;
    bool writable;
    bool error;
  };
  // The library keeps ownership of the descriptor.
  FdWatch(Loop& loop, int fd, std::function<void(Ready)> callback);

  // Both false: paused. Throws std::runtime_error if the descriptor cannot be watched.
  void want(bool read, bool write);

 private:
  class Block final : public Poller::Socket {
   public:
    Block(Loop& l, FdWatch* o, int fd, std::function<void(Ready)> callback);
    void want(std::uint32_t events);

    Loop& loop;
    ErrorSink* sink;
    FdWatch* owner;

   private:
    void on_ready(std::uint32_t events) noexcept override;

    const int fd_;
    std::uint32_t wanted_ = 0;
    std::function<void(Ready)> callback_;
  };
  struct Close {
    void operator()(Block* block) const noexcept;
  };
  std::unique_ptr<Block, Close> block_;
};

}  // namespace probegate::loop
