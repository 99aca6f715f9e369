#include "loop/loop.h"

#include <cassert>
#include <new>
#include <stdexcept>

#include "loop/tls.h"

namespace probegate::loop {

Loop::Loop(ErrorSink& sink) : root_sink_(&sink), sink_(&sink) {
  if (const int status = uv_loop_init(&uv_); status < 0) {
    throw std::runtime_error("cannot create an event loop: " + error_text(status));
  }
}

Loop::~Loop() {
  // Owners are gone by now; what is left are handles whose close callbacks have not run yet.
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

void Loop::run() { uv_run(&uv_, UV_RUN_DEFAULT); }

void Loop::tell(ErrorSink& sink, const char* what) noexcept {
  std::string words;
  try {
    words = what;
  } catch (const std::bad_alloc&) {
    // Silence is better than the end.
  }
  sink.on_exception(words);
}

TlsContexts& Loop::tls() {
  if (!tls_) tls_ = std::make_unique<TlsContexts>();
  return *tls_;
}

void Loop::stop() { uv_stop(&uv_); }

bool Loop::run_until(const std::function<bool()>& condition, Duration limit) {
  // The tick bounds each turn's wait, so a loop without events still sees the limit pass.
  uv_timer_t tick;
  uv_timer_init(&uv_, &tick);
  uv_timer_start(
      &tick, [](uv_timer_t*) {}, 5, 5);
  const TimePoint end = now() + limit;
  while (!condition() && now() < end) uv_run(&uv_, UV_RUN_ONCE);
  bool closed = false;
  tick.data = &closed;
  uv_close(reinterpret_cast<uv_handle_t*>(&tick),
           [](uv_handle_t* h) { *static_cast<bool*>(h->data) = true; });
  while (!closed) uv_run(&uv_, UV_RUN_NOWAIT);
  return condition();
}

TimePoint Loop::now() const { return TimePoint(std::chrono::steady_clock::now().time_since_epoch()); }

WallTime Loop::wall_now() const { return WallTime(std::chrono::system_clock::now().time_since_epoch()); }

std::string error_text(int status) { return uv_strerror(status); }

}  // namespace probegate::loop
