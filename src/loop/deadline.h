// Deadlines: thousands of coarse timers that use one libuv timer.
//
// A hashed wheel with intrusive nodes: arming and disarming are O(1), allocate nothing and make no system
// call; one libuv timer is armed for the next occupied slot, so an idle loop sleeps. Resolution 10 ms, never
// early. If the wheel's timer is late by more than kSuspendThreshold, this process was suspended (no CPU,
// SIGSTOP, a blocked loop) and could not receive data from peers: each deadline is then restarted once, for
// at most its own delay, counted from the last run of the wheel. Owns: nothing; a Deadline belongs to its
// user and disarms itself when destroyed. The wheel must outlive all deadlines.
#pragma once

#include <array>
#include <cstdint>

#include "loop/timer.h"

namespace probegate::loop {

class DeadlineWheel;

class Deadline {
 public:
  class Observer {
   public:
    virtual void on_deadline(Deadline& deadline) = 0;

   protected:
    ~Observer() = default;
  };

  Deadline(DeadlineWheel& wheel, Observer& observer);
  ~Deadline() { disarm(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void arm(Duration delay);  // restarts if armed; zero or less disarms
  void disarm();
  bool armed() const { return previous_ != nullptr; }

 private:
  friend class DeadlineWheel;
  static constexpr std::uint64_t kMostTicks = ~std::uint64_t{0} >> 1;  // maximum that fits beside the flag

  DeadlineWheel& wheel_;
  Observer& observer_;
  ErrorSink* const sink_;  // of the scope it was created in
  Deadline* next_ = nullptr;
  Deadline** previous_ = nullptr;  // the pointer to this node
  std::uint64_t due_ : 63 = 0;     // in ticks
  std::uint64_t excused_ : 1 = 0;  // was restarted once after a suspension
};

class DeadlineWheel {
 public:
  explicit DeadlineWheel(Loop& loop);
  Loop& loop() { return loop_; }

 private:
  friend class Deadline;
  static constexpr std::uint64_t kTickMillis = 10;
  static constexpr std::size_t kSlots = 1024;
  static constexpr std::uint64_t kSuspendThreshold = 50;  // ticks

  std::uint64_t tick_now() const { return loop_.turn_ms() / kTickMillis; }
  void insert(Deadline& deadline);
  void advance();
  void extend_after_suspend();
  void schedule();

  Loop& loop_;
  Timer timer_;
  std::array<Deadline*, kSlots> slots_{};
  std::uint64_t current_;        // the next tick to process
  std::uint64_t seen_;           // the tick of the last call
  std::uint64_t scheduled_ = 0;  // the tick the timer is armed for; 0 = not armed
  std::size_t armed_ = 0;
};

}  // namespace probegate::loop
