// VirtualTime: while one lives, time stands still as long as a loop of this process has something to do, and
// jumps to the next deadline of any of them when none has.
//
// Every clock of the program is clock_gettime(2), also libuv's and libstdc++'s, and every loop waits by
// epoll_wait(2). An executable that is linked with virtual_time.cc has both from there, so what is tested is
// the code as it ships: no clock is handed through it for the tests' sake, and loops on threads of their own
// are part of it.
//
// Not for tests in which somebody else takes time: the kernel (a full window is probed by its own timer, so a
// slow reader needs real time), a lookup, another process. What was skipped stays skipped, as a monotonic
// clock must not go back. Made and destroyed by the thread of the test, before its loops and after them.
#pragma once

#include <atomic>

namespace probegate::test {

class VirtualTime {
 public:
  VirtualTime();
  ~VirtualTime();
  VirtualTime(const VirtualTime&) = delete;
  VirtualTime& operator=(const VirtualTime&) = delete;

  static bool lives() { return living_.load() > 0; }

 private:
  inline static std::atomic<int> living_{0};
};

}  // namespace probegate::test
