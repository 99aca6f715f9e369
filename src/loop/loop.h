// Loop: the event loop of one thread. All waiting uses it, and nothing on it may block.
//
// Owns: the uv_loop_t, the poller of its sockets (poller.h), the shared read buffer and, once used, the TLS
// contexts. Invariant: an exception from a callback never passes through libuv and never ends the process; it
// is passed to the ErrorSink of the object whose callback it was. Thread: all methods belong to the thread
// that runs the loop; other threads use Wakeup (wakeup.h).
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

// Receives exceptions from callbacks. Must outlive the handles created in its scope, or own them.
class ErrorSink {
 public:
  virtual ~ErrorSink() = default;
  virtual void on_exception(const std::string& what) noexcept = 0;
};

class Loop final : public Clock {
 public:
  // `sink` receives exceptions that no inner scope handles.
  explicit Loop(ErrorSink& sink);
  ~Loop() override;  // closes every handle still open and waits for the close callbacks
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();   // until stop()
  void stop();  // leaves run() after this iteration
  // Runs until the condition holds or the time is over; returns the final value of the condition. Checks the
  // condition after each event, and after each `tick` without one. For startup and tests.
  bool run_until(const std::function<bool()>& condition, Duration limit, Millis tick = Millis(5));

  TimePoint now() const override;  // exact
  WallTime wall_now() const override;
  // Runs `work` after the callbacks of this iteration; unlike a timer of zero it costs no system call. The
  // first few per iteration need no memory: code that handles out-of-memory errors relies on that.
  void after_turn(std::function<void()> work) { after_turn_.push_back(std::move(work)); }
  std::uint64_t turn_ms() const { return uv_now(&uv_); }  // monotonic, read once per iteration: no cost

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

  // Runs a callback with `sink` for its exceptions; every libuv callback enters our code through this.
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

  // Also works if there is no memory to copy the text.
  static void tell(ErrorSink& sink, const char* what) noexcept;

  // The buffer that all streams of this loop read into; its bytes are valid during on_data only. A frame of
  // 64 KiB, a common size, fits with its header: split in two it costs 9.2 system calls per message, whole
  // 4.1. Twice the size is not faster, and a slow reader may use this much memory.
  static constexpr std::size_t kReadBuffer = 72 * 1024;
  char* read_buffer() { return read_buffer_.data(); }

  // Created at the first use, so that a loop without TLS does not initialise OpenSSL.
  TlsContexts& tls();

 private:
  void turn(int most_millis);

  uv_loop_t uv_;
  Poller poller_;
  std::vector<std::function<void()>> after_turn_;
  std::vector<std::function<void()>> after_this_turn_;  // kept to reuse its memory
  bool stopped_ = false;
  ErrorSink* const root_sink_;
  ErrorSink* sink_;
  std::unique_ptr<TlsContexts> tls_;
  std::array<char, kReadBuffer> read_buffer_;
};

// The text for a negative libuv status, without the code name: "connection refused".
std::string error_text(int status);

}  // namespace probegate::loop
