#include "loop/fd_watch.h"

#include <stdexcept>

namespace probegate::loop {

FdWatch::FdWatch(Loop& loop, int fd, std::function<void(Ready)> callback) {
  auto block = std::make_unique<Block>(Block{{}, loop, loop.sink(), this, std::move(callback)});
  if (const int status = uv_poll_init(loop.uv(), &block->uv, fd); status < 0) {
    throw std::runtime_error("cannot watch a descriptor: " + error_text(status));
  }
  block->uv.data = block.get();
  block_.reset(block.release());
}

void FdWatch::ready(uv_poll_t* handle, int status, int events) {
  auto* block = static_cast<Block*>(handle->data);
  if (block->owner == nullptr) return;
  const bool error = status < 0;
  const Ready what{error || (events & UV_READABLE) != 0, error || (events & UV_WRITABLE) != 0, error};
  block->loop.enter(block->sink, [&] { block->callback(what); });
}

void FdWatch::want(bool read, bool write) {
  const int events = (read ? UV_READABLE : 0) | (write ? UV_WRITABLE : 0);
  if (events == 0) {
    uv_poll_stop(&block_->uv);
  } else {
    uv_poll_start(&block_->uv, events, ready);
  }
}

}  // namespace probegate::loop
