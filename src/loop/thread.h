// LeavableThread: a thread that is named (top -H) and blocks all signals, which belong to the control loop.
// Worker and BackgroundJob are what most of the program has of it.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <functional>
#include <string>

#include "base/clock.h"

namespace probegate::loop {

// Its code may never return: then its end is waited for with a limit, and it is left behind after that. Such
// code refers to nothing that it does not own, or own a share of.
class LeavableThread {
 public:
  static constexpr std::size_t kSystemStack = 0;  // as large as the system makes it

  // Of the name 15 characters are shown. Throws std::system_error when the system gives no thread.
  LeavableThread(std::string name, std::function<void()> run, std::size_t stack = kSystemStack);
  ~LeavableThread();  // leaves it behind unless it has been joined
  LeavableThread(const LeavableThread&) = delete;
  LeavableThread& operator=(const LeavableThread&) = delete;

  void join();
  bool join(Duration limit);  // true once it has ended, with everything that belongs to a thread
  bool joined() const { return joined_; }

 private:
  pthread_t thread_{};
  bool joined_ = false;
};

}  // namespace probegate::loop
