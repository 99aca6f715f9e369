#include "loop/timer.h"

namespace probegate::loop {
namespace {

std::uint64_t ceil_millis(Duration d) {
  return d <= Duration::zero() ? 0 : static_cast<std::uint64_t>(std::chrono::ceil<Millis>(d).count());
}

// libuv counts from the last full millisecond, so a timer could fire up to 1 ms early; add one.
std::uint64_t first_delay(Duration d) { return d <= Duration::zero() ? 0 : ceil_millis(d) + 1; }

}  // namespace

Timer::Timer(Loop& loop, std::function<void()> callback)
    : block_(new Block{{}, loop, loop.sink(), this, std::move(callback)}) {
  uv_timer_init(loop.uv(), &block_->uv);
  block_->uv.data = block_.get();
}

void Timer::fired(uv_timer_t* handle) {
  auto* block = static_cast<Block*>(handle->data);
  if (block->owner != nullptr) block->loop.enter(block->sink, [block] { block->callback(); });
}

void Timer::start(Duration delay) {
  uv_update_time(block_->loop.uv());  // otherwise the timer fires early after a long loop iteration
  uv_timer_start(&block_->uv, fired, first_delay(delay), 0);
}

void Timer::start_repeating(Duration period) {
  uv_update_time(block_->loop.uv());
  uv_timer_start(&block_->uv, fired, first_delay(period), ceil_millis(period));
}

void Timer::stop() { uv_timer_stop(&block_->uv); }

bool Timer::active() const { return uv_is_active(reinterpret_cast<const uv_handle_t*>(&block_->uv)) != 0; }

}  // namespace probegate::loop
