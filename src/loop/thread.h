// Starts a thread for a loop: named (top -H, metrics), and deaf to signals, which belong to the control loop.
#pragma once

#include <pthread.h>

#include <functional>
#include <string>
#include <thread>

#include "base/clock.h"

namespace probegate::loop {

std::thread start_thread(std::string name, std::function<void()> run);  // 15 characters at most are shown

// A thread whose code may never return: its end is waited for with a limit, and it is left behind after that.
// It therefore refers to nothing that it does not own, or own a share of.
class LeavableThread {
 public:
  // Throws std::system_error when the system gives no thread.
  LeavableThread(std::string name, std::function<void()> run);
  ~LeavableThread();  // leaves it behind unless it has been joined
  LeavableThread(const LeavableThread&) = delete;
  LeavableThread& operator=(const LeavableThread&) = delete;

  bool join(Duration limit);  // true once it has ended, with everything that belongs to a thread

 private:
  pthread_t thread_{};
  bool joined_ = false;
};

}  // namespace probegate::loop
