#include "loop/fd_watch.h"

#include <stdexcept>

namespace probegate::loop {

FdWatch::Block::Block(Loop& l, FdWatch* o, int fd, std::function<void(Ready)> callback)
    : loop(l), sink(l.sink()), owner(o), fd_(fd), callback_(std::move(callback)) {}

void FdWatch::Close::operator()(Block* block) const noexcept {
  block->owner = nullptr;
  block->want(0);
  block->loop.poller().release(block);
}

FdWatch::FdWatch(Loop& loop, int fd, std::function<void(Ready)> callback)
    : block_(new Block(loop, this, fd, std::move(callback))) {}

void FdWatch::want(bool read, bool write) { block_->want((read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u)); }

void FdWatch::Block::want(std::uint32_t events) {
  if (events == wanted_) return;
  auto& poller = loop.poller();
  if (events == 0) {
    poller.remove(fd_);
  } else if (wanted_ != 0) {
    poller.modify(fd_, events, *this);
  } else if (const int status = poller.add(fd_, events, *this); status < 0) {
    throw std::runtime_error("cannot watch a descriptor: " + error_text(status));
  }
  wanted_ = events;
}

void FdWatch::Block::on_ready(std::uint32_t events) noexcept {
  if (owner == nullptr) return;
  const bool error = (events & EPOLLERR) != 0;
  const bool over = (events & (EPOLLERR | EPOLLHUP)) != 0;
  const Ready what{over || (events & EPOLLIN) != 0, over || (events & EPOLLOUT) != 0, error};
  loop.enter(sink, [&] {
    if (error) want(0);
    callback_(what);
  });
}

}  // namespace probegate::loop
