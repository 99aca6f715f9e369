#include "client/rotating_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace probegate::client {
namespace {

constexpr Duration kPause = std::chrono::milliseconds(5);  // between two attempts to lock
constexpr int kMostPauses = 200;

class File {
 public:
  // Does not wait for the reader of a pipe, and does not follow links to files of other users.
  explicit File(const std::string& name)
      : fd_(::open(name.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644)) {
  }
  ~File() {
    if (fd_ >= 0) ::close(fd_);  // releases the lock
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

std::string why() { return std::generic_category().message(errno); }

// False if the lock is not available: the file system has no locks, or another process keeps it.
bool lock(int fd, const std::function<bool(Duration)>& pause) {
  for (int i = 0; i < kMostPauses; ++i) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK && errno != EINTR) return false;
    if (!pause(kPause)) return false;
  }
  return false;
}

// The previous holder of the lock may have renamed the file.
bool is_still(const std::string& name, const struct stat& opened) {
  struct stat named {};
  return ::stat(name.c_str(), &named) == 0 && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

}  // namespace

Result<void> append_rotating(const std::string& name, const std::string& line, std::uint64_t most,
                             const std::function<bool(Duration)>& pause) {
  for (int i = 0; i < kMostPauses; ++i) {
    const File file(name);
    if (file.fd() < 0)
      return failure(errno == ELOOP ? "it is a symbolic link; give the path of the file itself" : why());
    struct stat info {};
    if (::fstat(file.fd(), &info) != 0) return failure(why());
    if (!S_ISREG(info.st_mode)) return failure("it is not a regular file");
    if (info.st_uid != ::geteuid()) return failure("it belongs to another user");
    if (lock(file.fd(), pause)) {
      if (::fstat(file.fd(), &info) != 0) return failure(why());
      if (!is_still(name, info)) continue;
      const auto size = static_cast<std::uint64_t>(info.st_size);
      if (size > 0 && size + line.size() > most) {
        // If that is not allowed, write all the same: the line is worth more than the limit.
        if (::rename(name.c_str(), (name + ".1").c_str()) == 0) continue;
      }
    }
    // One call, so that lines of other writers are not mixed into it.
    const ssize_t written = ::write(file.fd(), line.data(), line.size());
    if (written == static_cast<ssize_t>(line.size())) return {};
    return failure(written < 0 ? why() : "no room for the whole line");
  }
  return failure("another process keeps rotating this file");
}

}  // namespace probegate::client
