// LeavableThread: a thread with a name (top -H) that blocks all signals, which are handled by the control
// loop. Most of the program uses it through Worker and BackgroundJob.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <functional>
#include <string>

#include "base/clock.h"

namespace probegate::loop {

// The code of the thread may never return: joining has a time limit, after which the thread is abandoned.
// Such code must own or share everything it uses.
class LeavableThread {
 public:
  static constexpr std::size_t kSystemStack = 0;  // the system's default size

  // Only 15 characters of the name are shown. Throws std::system_error if no thread can be created.
  LeavableThread(std::string name, std::function<void()> run, std::size_t stack = kSystemStack);
  ~LeavableThread();  // abandons the thread unless it was joined
  LeavableThread(const LeavableThread&) = delete;
  LeavableThread& operator=(const LeavableThread&) = delete;

  void join();
  bool join(Duration limit);  // true once it has ended, with its thread-local objects destroyed
  bool joined() const { return joined_; }

 private:
  pthread_t thread_{};
  bool joined_ = false;
};

}  // namespace probegate::loop
