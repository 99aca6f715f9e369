// SignalWatch: calls back on the loop when the process receives a signal.
#pragma once

#include <functional>

#include "loop/handle.h"

namespace probegate::loop {

class SignalWatch {
 public:
  SignalWatch(Loop& loop, int signal_number, std::function<void()> callback);

 private:
  struct Block {
    uv_signal_t uv;
    Loop& loop;
    ErrorSink* sink;
    SignalWatch* owner;
    std::function<void()> callback;
  };
  Handle<Block> block_;
};

}  // namespace probegate::loop
