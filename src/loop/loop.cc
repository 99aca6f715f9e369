#include "loop/loop.h"

#include <cassert>
#include <new>
#include <stdexcept>
#include <utility>

#include "loop/tls.h"

namespace probegate::loop {

Loop::Loop(ErrorSink& sink) : root_sink_(&sink), sink_(&sink) {
  if (const int status = uv_loop_init(&uv_); status < 0) {
    throw std::runtime_error("cannot create an event loop: " + error_text(status));
  }
  constexpr std::size_t kWithoutMemory = 8;
  after_turn_.reserve(kWithoutMemory);
  after_this_turn_.reserve(kWithoutMemory);
  poller_.watch_libuv(uv_backend_fd(&uv_));
}

Loop::~Loop() {
  // All owners are destroyed; only handles whose close callbacks have not run yet are left.
  while (uv_loop_close(&uv_) == UV_EBUSY) {
    uv_walk(
        &uv_,
        [](uv_handle_t* handle, void*) {
          assert(uv_is_closing(handle) && "a handle outlived its owner");
          (void)handle;
        },
        nullptr);
    uv_run(&uv_, UV_RUN_NOWAIT);
  }
}

void Loop::run() {
  stopped_ = false;
  while (!stopped_) turn(-1);
}

// Waits once for sockets and libuv, notifies the sockets, and runs libuv if it has work. Without an active
// handle libuv gives no timeout, and the wait would be endless.
void Loop::turn(int most_millis) {
  const auto libuv_waits = [this] { return uv_loop_alive(&uv_) != 0 ? uv_backend_timeout(&uv_) : -1; };
  const int millis = libuv_waits();
  if (!after_turn_.empty()) most_millis = 0;  // posted between two iterations
  poller_.wait(most_millis < 0 || (millis >= 0 && millis < most_millis) ? millis : most_millis);
  uv_update_time(&uv_);
  const bool libuv_ready = poller_.tell();
  if (libuv_ready || libuv_waits() == 0) uv_run(&uv_, UV_RUN_NOWAIT);
  if (after_turn_.empty()) return;
  std::swap(after_turn_, after_this_turn_);
  for (const auto& work : after_this_turn_) enter(root_sink_, work);
  after_this_turn_.clear();
}

void Loop::tell(ErrorSink& sink, const char* what) noexcept {
  std::string words;
  try {
    words = what;
  } catch (const std::bad_alloc&) {
    // Reporting failed too; continue without a message.
  }
  sink.on_exception(words);
}

TlsContexts& Loop::tls() {
  if (!tls_) tls_ = std::make_unique<TlsContexts>();
  return *tls_;
}

void Loop::stop() { stopped_ = true; }

bool Loop::run_until(const std::function<bool()>& condition, Duration limit, Millis tick) {
  const TimePoint end = now() + limit;
  while (!condition() && now() < end) turn(static_cast<int>(tick.count()));
  turn(0);  // handles pending events, also if no wait was necessary
  return condition();
}

TimePoint Loop::now() const { return TimePoint(std::chrono::steady_clock::now().time_since_epoch()); }

WallTime Loop::wall_now() const { return WallTime(std::chrono::system_clock::now().time_since_epoch()); }

std::string error_text(int status) { return uv_strerror(status); }

}  // namespace probegate::loop
