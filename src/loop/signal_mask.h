// SignalMask: signals that come before anybody watches for them wait, and those that nobody watches for are
// no end.
//
// A process that is PID 1 loses a SIGTERM that comes before its handler is there, and every other process is
// ended by it without its exit code. So they are blocked before anything else is done, and unblocked when the
// watches of signal_watch.h exist. Strangers (SIGUSR1, SIGALRM, ...) end a process by default; they stay
// blocked and are read from a signalfd(2), which also tells who sent them. Threads inherit the mask of the
// one that starts them. Thread: the main thread, before it starts others.
#pragma once

#include <functional>
#include <string>

#include "loop/fd_watch.h"

namespace probegate::loop {

void hold_signals();             // what ends or reloads us, and strangers
void release_watched_signals();  // SIGTERM, SIGINT and SIGHUP, also where a parent had blocked them

class StraySignals {
 public:
  struct Stray {
    std::string name;  // "SIGUSR1"
    int number;
    int sender;  // its pid; 0: the kernel, or a process of another pid namespace
  };
  // Where the kernel has no signalfd, or no descriptor is left, strangers are ignored without a word.
  StraySignals(Loop& loop, std::function<void(const Stray&)> callback);
  ~StraySignals();
  StraySignals(const StraySignals&) = delete;
  StraySignals& operator=(const StraySignals&) = delete;

 private:
  void take();

  const std::function<void(const Stray&)> callback_;
  const int fd_;
  FdWatch watch_;
};

}  // namespace probegate::loop
