#include "loop/wakeup.h"

#include <stdexcept>

namespace probegate::loop {

Wakeup::Wakeup(Loop& loop, std::function<void()> callback) {
  auto block = std::make_unique<Block>(Block{{}, loop, loop.sink(), this, std::move(callback)});
  const int status = uv_async_init(loop.uv(), &block->uv, [](uv_async_t* handle) {
    auto* self = static_cast<Block*>(handle->data);
    if (self->owner != nullptr) self->loop.enter(self->sink, [self] { self->callback(); });
  });
  if (status < 0) throw std::runtime_error("cannot create a wake-up: " + error_text(status));
  block->uv.data = block.get();
  block_.reset(block.release());
}

void Wakeup::notify() { uv_async_send(&block_->uv); }

}  // namespace probegate::loop
