#include "loop/signal_watch.h"

#include <stdexcept>

namespace probegate::loop {

SignalWatch::SignalWatch(Loop& loop, int signal_number, std::function<void()> callback)
    : block_(new Block{{}, loop, loop.sink(), this, std::move(callback)}) {
  uv_signal_init(loop.uv(), &block_->uv);
  block_->uv.data = block_.get();
  const int status = uv_signal_start(
      &block_->uv,
      [](uv_signal_t* handle, int) {
        auto* self = static_cast<Block*>(handle->data);
        if (self->owner != nullptr) self->loop.enter(self->sink, [self] { self->callback(); });
      },
      signal_number);
  if (status < 0) throw std::runtime_error("cannot watch a signal: " + error_text(status));
}

}  // namespace probegate::loop
