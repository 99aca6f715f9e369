#include "loop/pipes.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace probegate::loop {
namespace {

long move(int from, int to, std::size_t most) {
  long moved;
  do {
    moved = ::splice(from, nullptr, to, nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (moved < 0 && errno == EINTR);
  return moved < 0 ? -errno : moved;
}

}  // namespace

long Pipes::Pipe::fill(int socket, std::uint64_t most) {
  const long moved = move(socket, ends_.in, static_cast<std::size_t>(std::min<std::uint64_t>(most, kSize)));
  if (moved > 0) held_ += static_cast<std::size_t>(moved);
  return moved;
}

// Writes until EAGAIN, because only then does epoll report room to write again.
int Pipes::Pipe::empty(int socket) {
  while (held_ > 0) {
    const long moved = move(ends_.out, socket, held_);
    if (moved == -EAGAIN || moved == 0) return 0;
    if (moved < 0) return static_cast<int>(moved);
    held_ -= static_cast<std::size_t>(moved);
  }
  return 0;
}

Pipes::~Pipes() {
  if (!idle_) return;
  ::close(idle_->out);
  ::close(idle_->in);
}

std::optional<Pipes::Pipe> Pipes::lend() {
  if (lent_ == most_) return std::nullopt;
  if (!idle_) idle_ = make();
  if (!idle_) return std::nullopt;
  ++lent_;
  return Pipe(*this, *std::exchange(idle_, std::nullopt));
}

std::optional<Pipes::Pipe::Ends> Pipes::make() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return std::nullopt;
  ::fcntl(ends[1], F_SETPIPE_SZ, kSize);  // if this fails, the pipe stays smaller but works
  return Pipe::Ends{ends[0], ends[1]};
}

void Pipes::take_back(const Pipe& pipe) {
  --lent_;
  if (pipe.held_ == 0 && !idle_) {
    idle_ = pipe.ends_;
    return;
  }
  ::close(pipe.ends_.out);
  ::close(pipe.ends_.in);
}

}  // namespace probegate::loop
