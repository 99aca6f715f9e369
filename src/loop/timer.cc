#include "loop/timer.h"

namespace probegate::loop {
namespace {

std::uint64_t ceil_millis(Duration d) {
  if (d <= Duration::zero()) return 0;
  return static_cast<std::uint64_t>(std::chrono::ceil<Millis>(d).count());
}

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
  uv_update_time(block_->loop.uv());  // a long turn would otherwise make the timer fire early
  uv_timer_start(&block_->uv, fired, ceil_millis(delay), 0);
}

void Timer::start_repeating(Duration period) {
  uv_update_time(block_->loop.uv());
  uv_timer_start(&block_->uv, fired, ceil_millis(period), ceil_millis(period));
}

void Timer::stop() { uv_timer_stop(&block_->uv); }

bool Timer::active() const { return uv_is_active(reinterpret_cast<const uv_handle_t*>(&block_->uv)) != 0; }

}  // namespace probegate::loop
