#include "checks/close_wait.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace probegate::checks {

CloseWait::CloseWait(loop::Loop& loop, int socket, Duration limit, std::function<void()> done)
    : fd_(::fcntl(socket, F_DUPFD_CLOEXEC, 0)), done_(std::move(done)), limit_(loop, [this] { end(); }) {
  limit_.start(fd_ < 0 ? Duration::zero() : limit);  // no descriptor available: do not wait
  if (fd_ < 0) return;
  watch_.emplace(loop, fd_, [this](loop::FdWatch::Ready) { on_ready(); });
  watch_->want(true, false);
}

CloseWait::~CloseWait() {
  watch_.reset();
  if (fd_ >= 0) ::close(fd_);
}

void CloseWait::on_ready() {
  char last[512];
  const auto count = ::recv(fd_, last, sizeof last, MSG_DONTWAIT);
  const bool more = count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
  if (!more) end();
}

void CloseWait::end() {
  watch_.reset();
  limit_.stop();
  const auto done = done_;
  done();  // may destroy us
}

}  // namespace probegate::checks
