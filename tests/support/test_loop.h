// TestLoop: a loop for a test, whose uncaught exceptions are on record. Wait with until(), never by sleeping.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "loop/loop.h"
#include "virtual_time.h"

namespace probegate::test {

using namespace std::chrono_literals;

struct RecordingSink final : loop::ErrorSink {
  std::vector<std::string> errors;
  void on_exception(const std::string& what) noexcept override { errors.push_back(what); }
};

class TestLoop {
 public:
  operator loop::Loop&() { return loop_; }
  loop::Loop* operator->() { return &loop_; }
  loop::Loop& operator*() { return loop_; }

  // True as soon as the condition holds; the limit is for tests that fail.
  bool until(const std::function<bool()>& condition, Duration limit = 10s) {
    return loop_.run_until(condition, limit, tick());
  }
  // Lets everything happen that can happen without waiting for time.
  void settle(int turns = 20) {
    for (int i = 0; i < turns; ++i) loop_.run_until([] { return true; }, 0s);
  }
  // For proofs that something does not happen.
  void run_for(Duration time) {
    loop_.run_until([] { return false; }, time, tick());
  }

  RecordingSink sink;

 private:
  // Where time is virtual each tick costs a moment of real time.
  static Millis tick() { return VirtualTime::lives() ? 50ms : 5ms; }

  loop::Loop loop_{sink};
};

}  // namespace probegate::test
