#include "checks/metered_socket.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace probegate::checks {
namespace {

constexpr std::size_t kPiece = 16 * 1024;
constexpr std::size_t kWorthTrimming = 1024 * 1024;

ino_t inode_of(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? info.st_ino : 0;
}

bool for_now(int error) { return error == EAGAIN || error == EINTR; }

int duplicate(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw std::runtime_error(std::string("cannot watch a connection: ") + std::strerror(errno));
  return copy;
}

}  // namespace

MeteredSocket::MeteredSocket(loop::Loop& loop, int socket, std::size_t limit)
    : server_(duplicate(socket)), limit_(limit), in_{server_, -1}, out_{-1, server_} {
  int pair[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0 ||
      ::dup3(pair[1], socket, O_CLOEXEC) < 0) {
    const std::string why = std::strerror(errno);
    for (const int fd : {pair[0], pair[1], server_}) {
      if (fd >= 0) ::close(fd);
    }
    throw std::runtime_error("cannot watch a connection: " + why);
  }
  ::close(pair[1]);
  theirs_ = inode_of(socket);
  in_.to = out_.from = ours_ = pair[0];
  server_watch_.emplace(loop, server_, [this](loop::FdWatch::Ready) { on_ready(); });
  ours_watch_.emplace(loop, ours_, [this](loop::FdWatch::Ready) { on_ready(); });
  watch();
}

MeteredSocket::~MeteredSocket() {
  server_watch_.reset();
  ours_watch_.reset();
  if (!exceeded_) move(out_, kPiece);
  ::close(ours_);
  ::close(server_);
  if (passed_ > kWorthTrimming) ::malloc_trim(0);  // returns the library's freed buffers to the system
}

bool MeteredSocket::stands_behind(int socket) const { return inode_of(socket) == theirs_; }

void MeteredSocket::allow(std::size_t limit) {
  limit_ = limit;
  passed_ = 0;
  watch();
}

void MeteredSocket::on_ready() {
  move(out_, kPiece);
  move(in_, std::min(kPiece, limit_ - passed_ + 1));
  if (passed_ > limit_) {
    exceeded_ = true;
    in_.waiting.clear();
    end(in_);
    end(out_);
    ::shutdown(server_, SHUT_RDWR);
  }
  watch();
}

void MeteredSocket::move(Way& way, std::size_t most) {
  if (!flush(way) || way.ended) return;
  char piece[kPiece];
  const auto count = ::recv(way.from, piece, most, MSG_DONTWAIT);
  if (count < 0 && for_now(errno)) return;
  if (count <= 0) return end(way);
  if (&way == &in_) passed_ += static_cast<std::size_t>(count);
  way.waiting.assign(piece, static_cast<std::size_t>(count));
  flush(way);
}

// True: no data is waiting.
bool MeteredSocket::flush(Way& way) {
  if (way.waiting.empty()) return true;
  const auto count = ::send(way.to, way.waiting.data(), way.waiting.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count < 0 && for_now(errno)) return false;
  if (count < 0) {
    way.waiting.clear();
    end(way);
    return true;
  }
  way.waiting.erase(0, static_cast<std::size_t>(count));
  return way.waiting.empty();
}

void MeteredSocket::end(Way& way) {
  if (std::exchange(way.ended, true)) return;
  ::shutdown(way.to, SHUT_WR);
}

// One chunk at a time in each direction: the next is read after the previous one was written.
void MeteredSocket::watch() {
  const auto reads = [](const Way& way) { return !way.ended && way.waiting.empty(); };
  server_watch_->want(reads(in_), !out_.waiting.empty());
  ours_watch_->want(reads(out_), !in_.waiting.empty());
}

}  // namespace probegate::checks
