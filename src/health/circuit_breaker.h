// CircuitBreaker: stops requests after a number of failures in a row, until one trial request succeeds. Pure;
// time is passed in.
//
// States: closed (all requests pass) -> open (none, for `recovery`) -> trial (one has passed; its outcome
// decides) -> closed, or open again. Invariant: every ticket is concluded by exactly one of succeeded(),
// failed() and withdrawn(). Tickets of an earlier closed period have no effect, so that late failures do not
// undo a recovery. Thread: any, without locks; the whole state is one word.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace probegate::health {

struct BreakerPolicy {
  int failures;       // in a row, 1 to 1000
  Duration recovery;  // from opening to the trial
};

class CircuitBreaker {
 public:
  // Permission for one request.
  struct Ticket {
    bool trial;
    std::uint32_t period;
  };
  enum class Change { none, opened, closed };

  // Empty while the breaker is open, and during a trial.
  std::optional<Ticket> admit(TimePoint now);

  Change succeeded(Ticket ticket);
  Change failed(Ticket ticket, const BreakerPolicy& policy, TimePoint now);
  // The request was cancelled or failed locally, which says nothing about the service. After a withdrawn
  // trial the next request is the trial.
  void withdrawn(Ticket ticket);

  bool open() const;  // true until a trial has succeeded

 private:
  enum class State : std::uint8_t { closed, open, trial };
  struct Word {
    State state = State::closed;
    std::uint32_t failures = 0;  // in a row, while closed
    std::uint32_t period = 0;    // counts the openings
    std::uint64_t until_ms = 0;  // while open: when the trial is due
    static Word unpack(std::uint64_t bits);
    std::uint64_t pack() const;
  };
  // Replaces the word by what `next` makes of it, repeated until no other thread interferes. `next` returns
  // false to leave the word unchanged.
  template <typename Next>
  bool change(Next next);

  std::atomic<std::uint64_t> word_{0};
};

}  // namespace probegate::health
