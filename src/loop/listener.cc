#include "loop/listener.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "loop/fd_watch.h"
#include "loop/timer.h"

namespace probegate::loop {
namespace {

constexpr int kPerTurn = 64;  // a flood of connections must not starve those that are open
constexpr Duration kPause = std::chrono::milliseconds(50);

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace

class Listener::Acceptor {
 public:
  using Accepted = std::function<void(Stream)>;

  // The callback lives in the watch, which keeps it until it returns even if it destroys us.
  Acceptor(Loop& loop, int fd, bool is_unix, Accepted accepted)
      : loop_(loop),
        fd_(fd),
        is_unix_(is_unix),
        resume_(loop, [this] { watch_.want(true, false); }),
        watch_(loop, fd, [this, accepted = std::move(accepted)](FdWatch::Ready) { accept_some(accepted); }) {
    watch_.want(true, false);
  }
  ~Acceptor() {
    if (destroyed_ != nullptr) *destroyed_ = true;
  }

 private:
  void accept_some(const Accepted& accepted) {
    bool destroyed = false;
    for (int i = 0; i < kPerTurn && !destroyed; ++i) {
      const int fd = ::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        destroyed_ = &destroyed;
        const ForgetFlag forget{*this, destroyed};
        if (Stream stream = Stream::adopt(loop_, fd, is_unix_); stream.is_open()) accepted(std::move(stream));
      } else if (errno == EAGAIN) {
        return;
      } else if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO) {
        watch_.want(false, false);  // it stays readable: watching on would spin
        resume_.start(kPause);
        return;
      }
    }
  }

  struct ForgetFlag {
    Acceptor& acceptor;
    const bool& destroyed;
    ~ForgetFlag() {
      if (!destroyed) acceptor.destroyed_ = nullptr;
    }
  };

  Loop& loop_;
  const Descriptor fd_;
  const bool is_unix_;
  Timer resume_;
  FdWatch watch_;  // after the descriptor: gone before it is closed
  bool* destroyed_ = nullptr;
};

Listener::Listener(Loop& loop, int descriptor, bool is_unix, std::function<void(Stream)> accepted)
    : acceptor_(std::make_unique<Acceptor>(loop, descriptor, is_unix, std::move(accepted))) {}

Listener::Listener(Listener&&) noexcept = default;
Listener& Listener::operator=(Listener&&) noexcept = default;
Listener::~Listener() = default;

}  // namespace probegate::loop
