// Timer: calls back once after a delay, or repeatedly. Millisecond resolution, never early.
#pragma once

#include <functional>

#include "loop/handle.h"

namespace probegate::loop {

class Timer {
 public:
  Timer(Loop& loop, std::function<void()> callback);

  void start(Duration delay);  // restarts if running; rounds up to the next millisecond
  void start_repeating(Duration period);
  void stop();
  bool active() const;

 private:
  struct Block;
  static void fired(uv_timer_t* handle);
  struct Block {
    uv_timer_t uv;
    Loop& loop;
    ErrorSink* sink;
    Timer* owner;
    std::function<void()> callback;  // here, because it may destroy the Timer while it runs
  };
  Handle<Block> block_;
};

}  // namespace probegate::loop
