// CheckThread: runs one check on its own thread and loop, controlled by messages.
//
// If the check's code or a library blocks there (hashing for an hour, an endless loop, a system call),
// nothing else waits for it: the runner receives results through a Channel and abandons a thread whose code
// does not return. So the thread shares only the two channels, the Ticket of an attempt and the plan's
// factory with the runner. Owns, on its own thread: loop, resolver, HTTP client and the check object.
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

// A message from a check thread to the runner.
struct ThreadReport {
  enum class Kind {
    result,   // the result of this attempt
    crashed,  // an exception during or after this attempt; the check object is destroyed
    expired,  // expire() has ended the attempt; the check object is destroyed
    retry,    // the check has called CheckContext::retry
    ended,    // the thread has ended and can be joined; `what`: the cause, if end() was not called
  };
  Kind kind;
  std::uint64_t thread;
  std::uint64_t attempt = 0;
  TimePoint at{};
  std::optional<health::CheckResult> result = {};  // of `result` and `crashed`
  std::string phase = {};                          // of `expired`: the phase of the attempt
  std::string what = {};                           // of `expired`: what the check's destructor threw
};

struct ThreadReports {
  loop::Channel<ThreadReport> channel;
  std::atomic<std::uint64_t> ignored{0};  // duplicate and late reports of checks
};

// The single report of one attempt: the first caller to take it decides the result.
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
  // Throws std::system_error if no thread can be created. `name` is the name of the check.
  CheckThread(std::uint64_t id, const std::string& name, std::shared_ptr<ThreadReports> reports);
  ~CheckThread();  // ends the thread like end(); an unjoined thread is abandoned

  std::uint64_t id() const { return id_; }

  // Begins an attempt, with a new check object if there is none. Cancels an attempt still running.
  void start(std::uint64_t attempt, std::shared_ptr<Ticket> ticket, std::shared_ptr<const MakeCheck> make,
             TimePoint deadline);
  void expire(std::uint64_t attempt);  // answered by `expired`, unless the attempt has reported
  void cancel();                       // and destroys the check object
  void end();                          // only join() may follow; may be called again
  bool join(Duration limit) { return thread_.join(limit); }

 private:
  class Body;

  const std::uint64_t id_;
  const std::shared_ptr<Body> body_;  // owners: this and the thread
  loop::LeavableThread thread_;
};

}  // namespace probegate::checks
