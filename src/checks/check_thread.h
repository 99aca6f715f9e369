// CheckThread: one check on a thread and a loop of its own, driven by messages.
//
// Whatever the check's code or a library that it calls does there (hash a password for an hour, parse for
// ever, wait in a system call), nobody else waits for it: the runner hears of attempts through a Channel, and
// leaves a thread behind whose code does not return. So the thread shares nothing with the runner but the two
// channels, the Ticket of an attempt and the plan's factory. Owns, on its own thread: loop, resolver, HTTP
// client and the check object.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "checks/check.h"
#include "loop/channel.h"
#include "loop/thread.h"

namespace probegate::checks {

// What a thread tells the runner.
struct ThreadReport {
  enum class Kind {
    result,   // of this attempt
    crashed,  // an exception during this attempt or after it; the check object is gone
    expired,  // the attempt has been ended as expire() asked; the check object is gone
    retry,    // the check has called CheckContext::retry
    ended,    // the thread, which may be joined now; `what`: why, when nobody asked for it
  };
  Kind kind;
  std::uint64_t thread;
  std::uint64_t attempt = 0;
  TimePoint at{};
  std::optional<health::CheckResult> result = {};  // of `result` and `crashed`
  std::string phase = {};                          // of `expired`: what the attempt was busy with
  std::string what = {};                           // of `expired`: what the check's destructor threw
};

struct ThreadReports {
  loop::Channel<ThreadReport> channel;
  std::atomic<std::uint64_t> ignored{0};  // reports of checks that came twice or too late
};

// The right of one attempt to report: whoever takes it first decides what came of it.
class Ticket {
 public:
  bool take_to_report() { return take(State::reported); }
  void give_up() { take(State::given_up); }
  bool reported() const { return state_.load(std::memory_order_acquire) == State::reported; }

 private:
  enum class State { open, reported, given_up };
  bool take(State wanted) {
    State expected = State::open;
    return state_.compare_exchange_strong(expected, wanted, std::memory_order_acq_rel);
  }
  std::atomic<State> state_{State::open};
};

// The runner's end. Thread: the control loop's.
class CheckThread {
 public:
  // Throws std::system_error when the system gives no thread. `name` is the check's.
  CheckThread(std::uint64_t id, const std::string& name, std::shared_ptr<ThreadReports> reports);
  ~CheckThread();  // ends it, as end() does; one that has not been joined is left behind

  std::uint64_t id() const { return id_; }

  // Begins an attempt, with a new check object where there is none. One still under way is cancelled.
  void start(std::uint64_t attempt, std::shared_ptr<Ticket> ticket, std::shared_ptr<const MakeCheck> make,
             TimePoint deadline);
  void expire(std::uint64_t attempt);  // answered by `expired`, unless the attempt has reported
  void cancel();                       // and destroys the check object
  void end();                          // nothing may follow but join(); may be repeated
  bool join(Duration limit) { return thread_.join(limit); }

 private:
  class Body;

  const std::uint64_t id_;
  const std::shared_ptr<Body> body_;  // owners: we and the thread
  loop::LeavableThread thread_;
};

}  // namespace probegate::checks
