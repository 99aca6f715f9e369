#include "support/virtual_time.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <limits>
#include <list>
#include <mutex>

namespace probegate::test {
namespace {

using Nanos = std::int64_t;
constexpr Nanos kMillis = 1'000'000;
constexpr Nanos kNever = std::numeric_limits<Nanos>::max();
// Real looks without an event, of all loops together, after which nothing more will come of itself.
constexpr int kQuietLooks = 3;

Nanos real_now(clockid_t clock) {
  timespec time{};
  ::syscall(SYS_clock_gettime, clock, &time);
  return time.tv_sec * 1'000 * kMillis + time.tv_nsec;
}

// A loop's thread, from its first wait on.
struct Waiter {
  bool waiting = false;
  Nanos until = kNever;
  int quiet = 0;  // looks without an event since it began to wait, or since time went on
};

std::atomic<Nanos> skipped{0};
std::atomic<Nanos> stands_at{0};  // CLOCK_MONOTONIC while one lives

std::mutex mutex;
std::list<Waiter> waiters;

struct Registration {
  Registration() {
    const std::lock_guard lock(mutex);
    waiter = waiters.emplace(waiters.end());
  }
  ~Registration() {
    const std::lock_guard lock(mutex);
    waiters.erase(waiter);
  }
  std::list<Waiter>::iterator waiter;
};

Nanos now() { return VirtualTime::lives() ? stands_at.load() : real_now(CLOCK_MONOTONIC) + skipped.load(); }

// Under the mutex.
void go_on_if_quiet() {
  Nanos next = kNever;
  for (const Waiter& waiter : waiters) {
    if (!waiter.waiting || waiter.quiet < kQuietLooks) return;
    next = std::min(next, waiter.until);
  }
  if (next == kNever) return;
  stands_at.store(std::max(next, stands_at.load()));
  for (Waiter& waiter : waiters) waiter.quiet = 0;
}

int look(int epoll, epoll_event* events, int most, int millis) {
  return static_cast<int>(::syscall(SYS_epoll_pwait, epoll, events, most, millis, nullptr, 8));
}

int wait(int epoll, epoll_event* events, int most, int millis) {
  if (const int ready = look(epoll, events, most, 0); ready != 0 || millis == 0) return ready;
  thread_local Registration here;
  {
    const std::lock_guard lock(mutex);
    *here.waiter = {true, millis < 0 ? kNever : now() + millis * kMillis, 0};
  }
  int ready = 0;
  while (ready == 0 && VirtualTime::lives()) {
    ready = look(epoll, events, most, 1);
    const std::lock_guard lock(mutex);
    if (ready == 0) ++here.waiter->quiet;
    if (ready == 0) go_on_if_quiet();
    if (now() >= here.waiter->until) break;
  }
  const std::lock_guard lock(mutex);
  here.waiter->waiting = false;
  return ready;
}

}  // namespace

VirtualTime::VirtualTime() {
  stands_at.store(now());
  living_.store(1);
}

VirtualTime::~VirtualTime() {
  const Nanos reached = now();
  skipped.store(reached - real_now(CLOCK_MONOTONIC));
  living_.store(0);
}

}  // namespace probegate::test

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  using namespace probegate::test;
  if (clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE)
    return static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
  const Nanos nanos = now();
  *time = {nanos / (1'000 * kMillis), nanos % (1'000 * kMillis)};
  return 0;
}

extern "C" int epoll_wait(int epoll, epoll_event* events, int most, int millis) {
  using namespace probegate::test;
  return VirtualTime::lives() ? wait(epoll, events, most, millis) : look(epoll, events, most, millis);
}
