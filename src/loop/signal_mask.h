// SignalMask: keeps signals pending until they are watched, and prevents unused signals from
// ending the process.
//
// With PID 1, a SIGTERM before its handler exists is lost; any other process ends without its exit code. So
// signals are blocked first, and unblocked when the watches of signal_watch.h exist. Unused signals (SIGUSR1,
// SIGALRM, ...) end a process by default; they stay blocked and are read from a signalfd(2), which also
// gives the sender. Threads inherit the mask of the thread that starts them. Thread: the main thread, before
// it starts others.
#pragma once

#include <functional>
#include <string>

#include "loop/fd_watch.h"

namespace probegate::loop {

void hold_signals();             // signals for stop and reload, and unused ones
void release_watched_signals();  // SIGTERM, SIGINT and SIGHUP, also where a parent had blocked them

class StraySignals {
 public:
  struct Stray {
    std::string name;  // "SIGUSR1"
    int number;
    int sender;  // pid; 0: the kernel or a process in another pid namespace
  };
  // Without signalfd or a free descriptor, unused signals are ignored silently.
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
