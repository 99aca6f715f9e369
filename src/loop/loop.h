// Loop: one thread's event loop. Everything that waits hangs on one, and nothing on it may block.
//
// Owns: the uv_loop_t, the poller of its sockets (poller.h), the shared read buffer and, once asked for, the
// TLS contexts. Invariant: an exception
// that leaves a callback never passes through libuv and never ends the process; it reaches the ErrorSink of
// the object whose callback it was. Thread: all methods belong to the thread that runs the loop; other
// threads use Wakeup (wakeup.h).
#pragma once

#include <uv.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "loop/poller.h"

namespace probegate::loop {

class TlsContexts;

// Hears of exceptions that left a callback. Must outlive the handles created in its scope, or own them.
class ErrorSink {
 public:
  virtual ~ErrorSink() = default;
  virtual void on_exception(const std::string& what) noexcept = 0;
};

class Loop final : public Clock {
 public:
  // `sink` hears what no narrower scope catches.
  explicit Loop(ErrorSink& sink);
  ~Loop() override;  // closes every handle still open and waits for the close callbacks
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();   // until stop()
  void stop();  // leaves run() after this turn
  // Turns until the condition holds or the time is over; returns what the condition says in the end. Looks at
  // the condition after each event, and after each `tick` without one. For start-up and tests.
  bool run_until(const std::function<bool()>& condition, Duration limit, Millis tick = Millis(5));

  TimePoint now() const override;  // exact
  WallTime wall_now() const override;
  // Runs `work` once this turn's callbacks have returned; costs no system call, as a timer of zero would. The
  // first few of a turn need no memory: those who end what has failed for want of it rely on that.
  void after_turn(std::function<void()> work) { after_turn_.push_back(std::move(work)); }
  std::uint64_t turn_ms() const { return uv_now(&uv_); }  // monotonic, read once per turn: free

  uv_loop_t* uv() { return &uv_; }
  Poller& poller() { return poller_; }
  ErrorSink* sink() const { return sink_; }
  ErrorSink* root_sink() const { return root_sink_; }

  // Handles created while a scope is open report to its sink, and so do the handles their callbacks create.
  class Scope {
   public:
    Scope(Loop& loop, ErrorSink* sink) : loop_(loop), before_(loop.sink_) { loop.sink_ = sink; }
    ~Scope() { loop_.sink_ = before_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Loop& loop_;
    ErrorSink* before_;
  };

  // Runs a callback on behalf of `sink`; the only way libuv's callbacks enter our code.
  template <typename Callback>
  void enter(ErrorSink* sink, Callback&& callback) noexcept {
    Scope scope(*this, sink);
    try {
      callback();
    } catch (const std::exception& e) {
      tell(*sink, e.what());
    } catch (...) {
      tell(*sink, "an exception of unknown type");
    }
  }

  // Also when there is not even memory to copy the words.
  static void tell(ErrorSink& sink, const char* what) noexcept;

  // The one buffer all streams of this loop read into; its bytes are valid during on_data only. A
  // frame of 64 KiB, a common chunk, fits with its header: cut in two it cost 9.2 calls a message, whole 4.1.
  // Twice as much measured no better, and is what a slow reader may cost.
  static constexpr std::size_t kReadBuffer = 72 * 1024;
  char* read_buffer() { return read_buffer_.data(); }

  // Made at the first use: a loop that never speaks TLS does not pay for OpenSSL.
  TlsContexts& tls();

 private:
  void turn(int most_millis);

  uv_loop_t uv_;
  Poller poller_;
  std::vector<std::function<void()>> after_turn_;
  std::vector<std::function<void()>> after_this_turn_;  // keeps its memory
  bool stopped_ = false;
  ErrorSink* const root_sink_;
  ErrorSink* sink_;
  std::unique_ptr<TlsContexts> tls_;
  std::array<char, kReadBuffer> read_buffer_;
};

// The text for a negative libuv status, without the code name: "connection refused".
std::string error_text(int status);

}  // namespace probegate::loop
