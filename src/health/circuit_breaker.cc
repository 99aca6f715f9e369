#include "health/circuit_breaker.h"

#include <chrono>

namespace probegate::health {
namespace {

// From the lowest bit: state, failures, period, until. 40 bits of milliseconds are 34 years of uptime.
constexpr int kFailuresAt = 2;
constexpr int kPeriodAt = 12;
constexpr int kUntilAt = 24;
constexpr std::uint64_t kStateMask = 0x3;
constexpr std::uint64_t kFailuresMask = 0x3ff;
constexpr std::uint64_t kPeriodMask = 0xfff;

std::uint64_t ceil_ms(TimePoint time) {
  return static_cast<std::uint64_t>(std::chrono::ceil<Millis>(time.time_since_epoch()).count());
}
std::uint64_t floor_ms(TimePoint time) {
  return static_cast<std::uint64_t>(std::chrono::floor<Millis>(time.time_since_epoch()).count());
}

}  // namespace

CircuitBreaker::Word CircuitBreaker::Word::unpack(std::uint64_t bits) {
  return {static_cast<State>(bits & kStateMask),
          static_cast<std::uint32_t>(bits >> kFailuresAt & kFailuresMask),
          static_cast<std::uint32_t>(bits >> kPeriodAt & kPeriodMask), bits >> kUntilAt};
}

std::uint64_t CircuitBreaker::Word::pack() const {
  return static_cast<std::uint64_t>(state) | (failures & kFailuresMask) << kFailuresAt |
         (period & kPeriodMask) << kPeriodAt | until_ms << kUntilAt;
}

template <typename Next>
bool CircuitBreaker::change(Next next) {
  std::uint64_t before = word_.load(std::memory_order_acquire);
  for (;;) {
    Word word = Word::unpack(before);
    if (!next(word)) return false;
    const std::uint64_t after = word.pack();
    if (after == before) return true;
    if (word_.compare_exchange_weak(before, after, std::memory_order_acq_rel, std::memory_order_acquire))
      return true;
  }
}

std::optional<CircuitBreaker::Ticket> CircuitBreaker::admit(TimePoint now) {
  Ticket ticket{};
  const bool admitted = change([&](Word& word) {
    ticket = {word.state != State::closed, word.period};
    if (word.state == State::closed) return true;
    if (word.state == State::trial || floor_ms(now) < word.until_ms) return false;
    word.state = State::trial;
    return true;
  });
  if (!admitted) return std::nullopt;
  return ticket;
}

CircuitBreaker::Change CircuitBreaker::succeeded(Ticket ticket) {
  Change result = Change::none;
  change([&](Word& word) {
    result = Change::none;
    if (word.period != ticket.period) return false;
    if (word.state == State::closed && !ticket.trial) {
      word.failures = 0;
      return true;
    }
    if (word.state != State::trial || !ticket.trial) return false;
    word = {State::closed, 0, word.period, 0};
    result = Change::closed;
    return true;
  });
  return result;
}

CircuitBreaker::Change CircuitBreaker::failed(Ticket ticket, const BreakerPolicy& policy, TimePoint now) {
  Change result = Change::none;
  const std::uint64_t until = ceil_ms(now + policy.recovery);
  change([&](Word& word) {
    result = Change::none;
    if (word.period != ticket.period) return false;
    if (word.state == State::closed && !ticket.trial) {
      if (++word.failures < static_cast<std::uint32_t>(policy.failures)) return true;
      word = {State::open, 0, static_cast<std::uint32_t>((word.period + 1) & kPeriodMask), until};
      result = Change::opened;
      return true;
    }
    if (word.state != State::trial || !ticket.trial) return false;
    word.state = State::open;
    word.until_ms = until;
    return true;
  });
  return result;
}

void CircuitBreaker::withdrawn(Ticket ticket) {
  if (!ticket.trial) return;
  change([&](Word& word) {
    if (word.state != State::trial || word.period != ticket.period) return false;
    word.state = State::open;
    return true;
  });
}

bool CircuitBreaker::open() const {
  return Word::unpack(word_.load(std::memory_order_acquire)).state != State::closed;
}

}  // namespace probegate::health
