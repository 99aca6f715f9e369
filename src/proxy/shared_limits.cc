#include "proxy/shared_limits.h"

#include <algorithm>
#include <cstdio>
#include <random>
#include <utility>

namespace probegate::proxy {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMostAhead = 4;  // connections; a smaller number costs wake-ups without a benefit
// Descriptors reserved for probes, checks, the log and the loops; with a high limit, enough for the maximum
// of probe connections.
constexpr std::uint64_t kReserve = 64;
constexpr std::uint64_t kMostReserve = 640;
constexpr std::uint64_t kMostPipes = 8;  // per loop; all together use less than 1/64 of the descriptors
constexpr std::uint64_t kMostSurplus = 256;
constexpr std::uint64_t kFewest = 4;  // connections, however low the limit of open files
constexpr Duration kAskAgain = 1ms;   // until a release is tried again
constexpr Duration kCatchUp = 50ms;
constexpr Duration kPassOver = 100ms;  // a loop that has released nothing by then is busy or blocked

std::string make_instance() {
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", static_cast<unsigned>(std::random_device()()));
  return std::string("probegate-") + digits;
}

std::uint64_t reserve(std::uint64_t descriptors) {
  return std::min(std::clamp(descriptors / 32, kReserve, kMostReserve), descriptors / 2);
}

std::int64_t nanoseconds(TimePoint t) { return t.time_since_epoch().count(); }

}  // namespace

SharedLimits::SharedLimits(std::size_t loops, std::uint64_t descriptors)
    : instance_(make_instance()),
      loops_(loops),
      pipes_(static_cast<std::size_t>(std::min(kMostPipes, descriptors / 128 / loops))),
      ceiling_(descriptors - reserve(descriptors) - 2 * pipes_ * loops),
      surplus_(std::min(kMostSurplus, descriptors / 8)),
      per_loop_(std::make_unique<PerLoop[]>(loops)) {}

std::uint64_t SharedLimits::connections(std::uint64_t configured) const {
  const std::uint64_t possible = std::max(kFewest, (ceiling_ - surplus_) / 2);
  return configured == 0 ? possible : std::min(configured, possible);
}

std::uint64_t LoopLimits::connection_opened() {
  mine_->connections.fetch_add(1, std::memory_order_relaxed);
  return all_->connections_.fetch_add(1, std::memory_order_relaxed);
}

void LoopLimits::connections_closed(std::uint64_t count) {
  mine_->connections.fetch_sub(count, std::memory_order_relaxed);
  all_->connections_.fetch_sub(count, std::memory_order_relaxed);
}

bool LoopLimits::is_first_front_end(const void* configuration) {
  return all_->warned_for_.exchange(configuration, std::memory_order_relaxed) != configuration;
}

bool LoopLimits::may_accept() const {
  const std::uint64_t mine = mine_->connections.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < all_->loops_; ++i) {
    if (all_->per_loop_[i].connections.load(std::memory_order_relaxed) + kMostAhead <= mine) return false;
  }
  return true;
}

bool LoopLimits::ask_for_room() {
  for (std::size_t i = 0; i < all_->loops_; ++i) {
    auto& other = all_->per_loop_[i];
    if (&other == mine_ || !other.wake) continue;
    if (other.asked.load(std::memory_order_relaxed) >= other.idle.load(std::memory_order_relaxed)) continue;
    other.asked.fetch_add(1, std::memory_order_relaxed);
    other.wake();
    return true;
  }
  return false;
}

std::uint64_t LoopLimits::take_asked() { return mine_->asked.exchange(0, std::memory_order_relaxed); }

bool LoopLimits::take_place(std::uint64_t most) {
  std::uint64_t taken = all_->held_.load(std::memory_order_relaxed);
  while (taken < most) {
    if (all_->held_.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

void LoopLimits::return_place() { all_->held_.fetch_sub(1, std::memory_order_relaxed); }

std::uint64_t LoopLimits::next_ticket() { return all_->tickets_.fetch_add(1, std::memory_order_relaxed); }

void LoopLimits::oldest_waits(std::uint64_t ticket) {
  mine_->oldest.store(ticket, std::memory_order_relaxed);
}

void LoopLimits::nobody_waits() { oldest_waits(SharedLimits::kNobody); }

Duration LoopLimits::until_release(std::uint64_t ticket, TimePoint now, Duration pause) {
  auto& next = all_->next_release_ns_;
  std::int64_t due = next.load(std::memory_order_relaxed);
  const std::int64_t asked = std::exchange(asked_ns_, 0);
  if (nanoseconds(now) < due) return Duration(due - nanoseconds(now));
  for (std::size_t i = 0; i < all_->loops_; ++i) {
    if (all_->per_loop_[i].oldest.load(std::memory_order_relaxed) >= ticket) continue;
    asked_ns_ = asked == 0 ? nanoseconds(now) : asked;
    if (Duration(nanoseconds(now) - asked_ns_) < kPassOver) return kAskAgain;
  }
  asked_ns_ = 0;
  // Counted from when it was due, so that small delays do not lower the rate. Longer delays are not made up
  // for, as that would cause a burst.
  const bool punctual = Duration(nanoseconds(now) - due) <= kCatchUp;
  const std::int64_t after = (punctual ? due : nanoseconds(now)) + pause.count();
  if (next.compare_exchange_strong(due, after, std::memory_order_relaxed)) return Duration::zero();
  return std::max(kAskAgain, Duration(due - nanoseconds(now)));
}

}  // namespace probegate::proxy
