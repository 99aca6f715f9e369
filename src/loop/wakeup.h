// Wakeup: lets another thread trigger a callback on this loop. Several notify() calls may cause one callback.
//
// Thread: constructed and destroyed on the loop's thread; notify() from any thread while the object exists.
#pragma once

#include <functional>

#include "loop/handle.h"

namespace probegate::loop {

class Wakeup {
 public:
  Wakeup(Loop& loop, std::function<void()> callback);
  void notify();

 private:
  struct Block {
    uv_async_t uv;
    Loop& loop;
    ErrorSink* sink;
    Wakeup* owner;
    std::function<void()> callback;
  };
  Handle<Block> block_;
};

}  // namespace probegate::loop
