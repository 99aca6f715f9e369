#include "loop/listener.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <optional>
#include <utility>

#include "loop/fd_watch.h"
#include "loop/timer.h"

namespace probegate::loop {
namespace {

constexpr int kPerTurn = 64;  // many new connections must not delay the open ones
constexpr int kRest = 4096;   // more than any listen queue holds
constexpr Duration kPause = std::chrono::milliseconds(50);
constexpr Duration kDeferral = std::chrono::milliseconds(2);

std::atomic<std::uint64_t> failures{0};
std::atomic<int> last_error{0};

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

  // The watch keeps its own copy of the callback until it returns, even if it destroys this object.
  Acceptor(Loop& loop, int fd, bool is_unix, Accepted accepted, std::function<Turn()> turn)
      : loop_(loop),
        fd_(fd),
        is_unix_(is_unix),
        accepted_(accepted),
        turn_(std::move(turn)),
        resume_(loop, [this] { watch_on(); }),
        watch_(loop, fd, [this, accepted = std::move(accepted)](FdWatch::Ready) { accept_some(accepted); }) {
    watch_.want(true, false);
  }
  ~Acceptor() {
    if (destroyed_ != nullptr) *destroyed_ = true;
  }

  void resume() {
    if (!std::exchange(waits_, false)) return;
    resume_.stop();
    watch_on();
  }

  void accept_rest() {
    overdue_ = true;
    accept_some(accepted_, kRest);
  }

 private:
  void watch_on() {
    // Still in the queue: no other loop accepted it.
    pollfd look{fd_.get(), POLLIN, 0};
    overdue_ = ::poll(&look, 1, 0) > 0;
    watch_.want(true, false);
  }

  void accept_some(const Accepted& accepted, int most = kPerTurn) {
    const bool overdue = std::exchange(overdue_, false);
    bool destroyed = false;
    // Accepting one at a time avoids a final call on the empty queue; with several in one
    // millisecond, accept many.
    const auto now = loop_.turn_ms();
    const bool flood = std::exchange(last_accept_ms_, now) == now;
    if (!flood && most != kRest) most = 1;
    for (int i = 0; i < most && !destroyed; ++i) {
      if (most != kRest) {
        const Turn turn = turn_();
        waits_ = turn == Turn::wait;
        if (waits_) return pause(kPause);
        if (turn == Turn::leave && !overdue) return pause(kDeferral);
      }
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      auto* const raw = reinterpret_cast<sockaddr*>(&peer);
      const int fd = ::accept4(fd_.get(), raw, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        destroyed_ = &destroyed;
        const ForgetFlag forget{*this, destroyed};
        const Address from(raw, size);
        Stream stream = Stream::adopt(loop_, fd, is_unix_, &from);
        if (stream.is_open()) accepted(std::move(stream));
      } else if (errno == EAGAIN) {
        return;
      } else if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO) {
        last_error.store(errno, std::memory_order_relaxed);
        failures.fetch_add(1, std::memory_order_relaxed);
        return pause(kPause);
      }
    }
  }

  // The socket stays readable, so watching it would spin.
  void pause(Duration time) {
    watch_.want(false, false);
    resume_.start(time);
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
  const Accepted accepted_;
  const std::function<Turn()> turn_;
  std::uint64_t last_accept_ms_ = 0;
  bool overdue_ = false;  // it was left to other loops, but none accepted it
  bool waits_ = false;
  Timer resume_;
  FdWatch watch_;  // declared after the descriptor: destroyed before it is closed
  bool* destroyed_ = nullptr;
};

Listener::Listener(Loop& loop, int descriptor, bool is_unix, std::function<void(Stream)> accepted,
                   std::function<Turn()> turn)
    : acceptor_(std::make_unique<Acceptor>(loop, descriptor, is_unix, std::move(accepted), std::move(turn))) {
}

Listener::Listener(Listener&&) noexcept = default;
Listener& Listener::operator=(Listener&&) noexcept = default;
Listener::~Listener() = default;

AcceptFailures accept_failures() {
  return {failures.load(std::memory_order_relaxed), last_error.load(std::memory_order_relaxed)};
}
void Listener::resume() { acceptor_->resume(); }

void Listener::accept_rest() { acceptor_->accept_rest(); }

}  // namespace probegate::loop
