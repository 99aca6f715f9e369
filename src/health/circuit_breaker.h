// CircuitBreaker: after so many failures in a row nobody asks any more, until one trial has succeeded. Pure;
// time is passed in.
//
// States: closed (everybody may ask) -> open (nobody, for `recovery`) -> trial (one alone has been let
// through; its outcome decides) -> closed, or open again. Invariant: every ticket is concluded by exactly one
// of succeeded(), failed() and withdrawn(). What a ticket of an earlier closed period reports changes
// nothing: a burst of old failures must not undo a recovery. Thread: any, without locks; the whole state is
// one word.
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
  // The right to ask once.
  struct Ticket {
    bool trial;
    std::uint32_t period;
  };
  enum class Change { none, opened, closed };

  // Empty while it is open, and while a trial is under way.
  std::optional<Ticket> admit(TimePoint now);

  Change succeeded(Ticket ticket);
  Change failed(Ticket ticket, const BreakerPolicy& policy, TimePoint now);
  // Its asker left, or we were to blame: it says nothing about who was asked. The next one has the trial.
  void withdrawn(Ticket ticket);

  bool open() const;  // until a trial has succeeded

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
  // Calls `next` with the present word until what it made of it is the new one. It returns false to leave it.
  template <typename Next>
  bool change(Next next);

  std::atomic<std::uint64_t> word_{0};
};

}  // namespace probegate::health
