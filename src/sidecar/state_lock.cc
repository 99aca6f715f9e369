#include "sidecar/state_lock.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace probegate::sidecar {
namespace {

constexpr int kPauseMillis = 5;
constexpr int kMostPauses = 200;

struct flock range(std::uint64_t byte, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(byte);
  lock.l_len = 1;
  return lock;
}

}  // namespace

StateLock::StateLock(const std::string& path)
    : fd_(::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644)) {}

StateLock::~StateLock() {
  if (fd_ >= 0) ::close(fd_);
}

bool StateLock::set(std::uint64_t byte, short type) const {
  auto lock = range(byte, type);
  return fd_ >= 0 && ::fcntl(fd_, F_OFD_SETLK, &lock) == 0;
}

void StateLock::hold(std::uint64_t number) { set(number, F_WRLCK); }

bool StateLock::alive(std::uint64_t number) const {
  auto lock = range(number, F_WRLCK);
  return fd_ >= 0 && ::fcntl(fd_, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

StateLock::Turn::Turn(const std::optional<StateLock>& lock) : lock_(lock) {
  for (int i = 0; i < kMostPauses && !held_ && lock_ && lock_->fd_ >= 0; ++i) {
    held_ = lock_->set(0, F_WRLCK);
    if (!held_) ::poll(nullptr, 0, kPauseMillis);
  }
}

StateLock::Turn::~Turn() {
  if (held_) lock_->set(0, F_UNLCK);
}

}  // namespace probegate::sidecar
