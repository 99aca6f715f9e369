#include "loop/signal_mask.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstring>

namespace probegate::loop {
namespace {

constexpr int kWatched[] = {SIGTERM, SIGINT, SIGHUP};
// Signals that end a process by default, except faults and SIGQUIT, which is used to request a core dump.
constexpr int kStrangers[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT};

void add_strangers(sigset_t& set) {
  for (const int number : kStrangers) sigaddset(&set, number);
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) sigaddset(&set, number);
}

int open_strangers() {
  sigset_t set;
  sigemptyset(&set);
  add_strangers(set);
  return ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

std::string name_of(int number) {
  if (const char* name = ::sigabbrev_np(number)) return std::string("SIG") + name;
  return "SIGRTMIN+" + std::to_string(number - SIGRTMIN);
}

}  // namespace

void hold_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kWatched) sigaddset(&set, number);
  add_strangers(set);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void release_watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kWatched) sigaddset(&set, number);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

StraySignals::StraySignals(Loop& loop, std::function<void(const Stray&)> callback)
    : callback_(std::move(callback)),
      fd_(open_strangers()),
      watch_(loop, fd_, [this](FdWatch::Ready) { take(); }) {
  if (fd_ >= 0) watch_.want(true, false);
}

StraySignals::~StraySignals() {
  watch_.want(false, false);
  if (fd_ >= 0) ::close(fd_);
}

// One per iteration, so that many signals do not block the loop.
void StraySignals::take() {
  signalfd_siginfo info{};
  if (::read(fd_, &info, sizeof info) != sizeof info) return;
  const int number = static_cast<int>(info.ssi_signo);
  callback_({name_of(number), number, static_cast<int>(info.ssi_pid)});
}

}  // namespace probegate::loop
