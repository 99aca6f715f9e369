#include "loop/stream.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "loop/keep_alive.h"

namespace probegate::loop {
namespace {

constexpr std::uint32_t kReading = EPOLLIN | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t kWriting = EPOLLOUT;
constexpr std::uint32_t kOver = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

// recv() and send() are cancellation points, which costs a third of their instructions; threads are
// never cancelled here.
long receive(int fd, char* buffer, std::size_t size) {
  return ::syscall(SYS_recvfrom, fd, buffer, size, 0, nullptr, nullptr);
}
// `arrived`: by the system clock, 0 if not recorded. Not inlined, like transmit_both(), because functions
// with stack arrays have a stack protector, which the common path should not pay for.
[[gnu::noinline]] long receive(int fd, char* buffer, std::size_t size, std::int64_t& arrived) {
  iovec piece{buffer, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec))];
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const long received = ::syscall(SYS_recvmsg, fd, &message, 0);
  arrived = 0;
  const cmsghdr* const note = received > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (note == nullptr || note->cmsg_level != SOL_SOCKET || note->cmsg_type != SCM_TIMESTAMPNS)
    return received;
  timespec at{};
  std::memcpy(&at, CMSG_DATA(note), sizeof at);
  arrived = at.tv_sec * 1'000'000'000 + at.tv_nsec;
  return received;
}
long transmit(int fd, std::string_view bytes) {
  return ::syscall(SYS_sendto, fd, bytes.data(), bytes.size(), MSG_NOSIGNAL, nullptr, 0);
}
[[gnu::noinline]] long transmit_both(int fd, std::string_view first, std::string_view second) {
  iovec pieces[] = {{const_cast<char*>(first.data()), first.size()},
                    {const_cast<char*>(second.data()), second.size()}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

// A TCP socket reports room to write only after a write failed with EAGAIN; a unix socket reports it after
// every read of its peer, so it is requested only when needed.
std::uint32_t interest(bool is_unix) { return is_unix ? kReading : kReading | kWriting; }

}  // namespace

// Data that the kernel did not accept: first the content of a pipe, then bytes.
struct Stream::Pending {
  std::optional<Pipes::Pipe> pipe;
  std::string bytes;
  std::size_t written = 0;  // of the bytes
};

class Stream::Block final : public Poller::Socket {
 public:
  Block(Loop& l, int descriptor, bool is_unix_socket, Stream* o, StreamObserver* obs)
      : loop(l), sink(l.sink()), owner(o), observer(obs), fd(descriptor), is_unix(is_unix_socket) {}
  ~Block() override {
    if (fd >= 0) ::close(fd);
  }

  int watch() { return loop.poller().add(fd, interest(is_unix), *this); }
  int begin_connect(const Address& address);
  void want_reading(bool want);
  bool quiet() const {
    return !readable_ && !hung_up() && (loop.poller().coming(*this) & (EPOLLIN | kOver)) == 0;
  }
  bool write(std::string_view first, std::string_view second);
  Moved move_to(Block& to, std::uint64_t most, Pipes& pipes);
  void send_fin() {
    fin_sent_ = true;
    ::shutdown(fd, SHUT_WR);
  }

  Loop& loop;
  ErrorSink* sink;
  Stream* owner;  // null once the Stream is closed
  StreamObserver* observer;
  std::unique_ptr<Pending> pending;
  std::unique_ptr<Address> peer;
  int fd;
  const bool is_unix;
  std::int64_t arrived_ns = -1;  // of the last read; negative: recording is off
  bool reading = false;
  bool fin_after_queue = false;
  Wanted wanted = Wanted::bytes;
  bool lost = false;  // reading and writing may both notice it; the observer is called once

 private:
  void on_ready(std::uint32_t events) noexcept override;
  void end_connect(std::uint32_t events);
  void read();
  void flush();
  ssize_t offer(std::string_view first, std::string_view second) const;
  Pending& queue();
  void lose(int status);
  void tell_hang_up();

  // What follows the bytes in the socket. For `closed`, only a read shows whether it is an error.
  enum class Last : std::uint8_t { none, end, closed, lost };
  static Last last_of(std::uint32_t events) {
    if ((events & EPOLLERR) != 0) return Last::lost;
    return (events & EPOLLHUP) != 0 ? Last::closed : Last::end;
  }
  bool hung_up() const { return last_ != Last::none; }

  bool connecting_ = false;
  bool readable_ = false;  // bytes, the end or an error may be pending
  bool fin_sent_ = false;
  Last last_ = Last::none;
  Last told_ = Last::none;
  int status_ = 0;  // of a connect or a move, until it is reported
};

void Stream::Close::operator()(Block* block) const noexcept {
  block->owner = nullptr;
  ::close(std::exchange(block->fd, -1));
  block->pending.reset();
  block->loop.poller().release(block);
}

Stream& Stream::operator=(Stream&& other) noexcept {
  block_ = std::move(other.block_);
  if (block_) block_->owner = this;
  return *this;
}

// Takes ownership of the descriptor in any case.
Stream::Handle Stream::open(Loop& loop, int descriptor, bool is_unix, Stream* owner,
                            StreamObserver* observer) {
  try {
    return Handle(new Block(loop, descriptor, is_unix, owner, observer));
  } catch (...) {
    ::close(descriptor);
    throw;
  }
}

Stream Stream::connect(Loop& loop, const Address& address, StreamObserver& observer, int& status) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    status = -errno;
    return {};
  }
  Stream stream;
  stream.block_ = open(loop, fd, address.is_unix(), &stream, &observer);
  status = stream.block_->begin_connect(address);
  if (status < 0) stream.close();
  return stream;
}

Stream Stream::adopt(Loop& loop, int descriptor, bool is_unix, const Address* peer) {
  Stream stream;
  stream.block_ = open(loop, descriptor, is_unix, &stream, nullptr);
  if (peer != nullptr && !is_unix) stream.block_->peer = std::make_unique<Address>(*peer);
  if (stream.block_->watch() < 0) stream.close();
  return stream;
}

// An immediate result is also reported in the next iteration.
int Stream::Block::begin_connect(const Address& address) {
  connecting_ = true;
  const int on = 1;
  if (!is_unix) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const int result = ::connect(fd, address.raw(), address.size()) == 0 ? 0 : -errno;
  if (result == -EINPROGRESS) return watch();
  status_ = result;
  loop.poller().poll_again(*this);
  return result == 0 ? watch() : 0;
}

void Stream::Block::end_connect(std::uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0 && status_ == 0) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    status_ = error == 0 ? -ECONNRESET : -error;
  }
  connecting_ = false;
  loop.enter(sink, [this] { observer->on_connected(status_); });
}

void Stream::Block::on_ready(std::uint32_t events) noexcept {
  if ((events & (EPOLLIN | kOver)) != 0) readable_ = true;
  if ((events & kOver) != 0) last_ = std::max(last_, last_of(events));
  if (connecting_) {
    // For a unix socket, whose connect completes at once, poll_again() reports the result.
    if (events == 0 || (!is_unix && (events & (kWriting | kOver)) != 0)) end_connect(events);
    return;
  }
  // Data before an error is read first. A following end of stream is handled in the same iteration.
  for (int reads = 0; reads < 2 && owner != nullptr && reading && readable_; ++reads) {
    read();
    if (!hung_up()) break;
  }
  if (owner == nullptr) return;
  if (reading && readable_) loop.poller().poll_again(*this);
  if (pending && (events & (kWriting | kOver)) != 0) flush();
  if (last_ > told_ && owner != nullptr && !reading) tell_hang_up();
}

void Stream::Block::tell_hang_up() {
  // Both sides have sent FIN: a normal end, not an error.
  const Last what = last_ == Last::closed && fin_sent_ ? Last::end : last_;
  if (lost || observer == nullptr || what <= told_) return;
  told_ = what;
  const HangUp told = what == Last::end ? HangUp::end : what == Last::closed ? HangUp::closed : HangUp::lost;
  loop.enter(sink, [&] { observer->on_hang_up(told); });
}

void Stream::Block::read() {
  if (wanted == Wanted::moved) {
    bool moved = false;
    loop.enter(sink, [&] { moved = observer->on_movable(); });
    if (moved || owner == nullptr || !reading) return;
    if (status_ < 0) return lose(status_);
  }
  if (wanted == Wanted::end && last_ == Last::end) {
    readable_ = reading = false;
    told_ = Last::end;
    return loop.enter(sink, [this] { observer->on_end(); });
  }
  char* const buffer = loop.read_buffer();
  const ssize_t size = arrived_ns >= 0 ? receive(fd, buffer, Loop::kReadBuffer, arrived_ns)
                                       : receive(fd, buffer, Loop::kReadBuffer);
  if (size < 0) {
    if (errno == EINTR) return;
    if (errno != EAGAIN) return lose(-errno);
    readable_ = false;
    return;
  }
  if (size < static_cast<ssize_t>(Loop::kReadBuffer)) readable_ = hung_up() && size > 0;
  if (size == 0) {
    reading = false;
    told_ = std::max(told_, Last::end);
  }
  loop.enter(sink, [&] {
    if (size > 0) {
      observer->on_data({buffer, static_cast<std::size_t>(size)});
    } else {
      observer->on_end();
    }
  });
}

void Stream::Block::want_reading(bool want) {
  reading = want && !lost;
  if (reading ? readable_ : last_ > told_) loop.poller().poll_again(*this);
}

void Stream::Block::lose(int status) {
  if (std::exchange(lost, true)) return;
  reading = false;
  loop.enter(sink, [&] { observer->on_lost(status); });
}

// The number of bytes of both that the kernel accepted; negative: the connection is broken.
ssize_t Stream::Block::offer(std::string_view first, std::string_view second) const {
  ssize_t taken;
  do {
    taken = second.empty() ? transmit(fd, first) : transmit_both(fd, first, second);
  } while (taken < 0 && errno == EINTR);
  if (taken < 0) return errno == EAGAIN ? 0 : -errno;
  return taken;
}

bool Stream::Block::write(std::string_view first, std::string_view second) {
  if (lost) return false;
  std::size_t size = 0;
  if (!pending && !connecting_) {
    const ssize_t taken = offer(first, second);
    if (taken < 0) return false;
    size = static_cast<std::size_t>(taken);
    if (size == first.size() + second.size()) return true;
  }
  const std::size_t of_first = std::min(size, first.size());
  queue().bytes.append(first.substr(of_first)).append(second.substr(size - of_first));
  return true;
}

Stream::Pending& Stream::Block::queue() {
  if (!pending) {
    pending = std::make_unique<Pending>();
    if (is_unix) loop.poller().modify(fd, interest(is_unix) | kWriting, *this);
  }
  return *pending;
}

void Stream::Block::flush() {
  const auto broken = [this](long status) {
    if (status >= 0) return false;
    pending.reset();
    lose(static_cast<int>(status));
    return true;
  };
  if (pending->pipe) {
    if (broken(pending->pipe->empty(fd)) || pending->pipe->held() > 0) return;
    pending->pipe.reset();
  }
  const auto rest = std::string_view(pending->bytes).substr(pending->written);
  const ssize_t taken = rest.empty() ? 0 : offer(rest, {});
  if (broken(taken)) return;
  pending->written += static_cast<std::size_t>(taken);
  if (pending->written < pending->bytes.size()) return;
  pending.reset();  // an idle connection holds no buffer
  if (is_unix) loop.poller().modify(fd, interest(is_unix), *this);
  if (fin_after_queue) send_fin();
  loop.enter(sink, [this] { observer->on_drained(); });
}

Stream::Moved Stream::Block::move_to(Block& to, std::uint64_t most, Pipes& pipes) {
  if (to.lost || to.pending) return {};
  auto pipe = pipes.lend();
  if (!pipe) return {};
  const long filled = pipe->fill(fd, most);
  if (filled == -EAGAIN) {
    readable_ = false;
    return {.possible = true};
  }
  if (filled <= 0) {
    // Recv() will report the end of stream again, but not an error, so the error is saved.
    if (filled != -EINVAL && filled != -ENOMEM) status_ = static_cast<int>(filled);
    return {};
  }
  const bool broken = pipe->empty(to.fd) < 0;
  if (!broken && pipe->held() > 0) to.queue().pipe.emplace(std::move(*pipe));
  return {.possible = true, .broken = broken, .bytes = static_cast<std::size_t>(filled)};
}

void Stream::set_observer(StreamObserver& observer) {
  block_->observer = &observer;
  block_->sink = block_->loop.sink();
}

void Stream::reset() {
  if (block_ && !block_->is_unix) {
    const linger now{1, 0};
    ::setsockopt(block_->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  block_.reset();
}

void Stream::read_start() { block_->want_reading(true); }

void Stream::read_stop() { block_->want_reading(false); }

bool Stream::reading() const { return block_ && block_->reading; }

bool Stream::write(std::string_view first, std::string_view second) { return block_->write(first, second); }

void Stream::want(Wanted wanted) { block_->wanted = wanted; }

Stream::Moved Stream::move_to(Stream& to, std::uint64_t most, Pipes& pipes) {
  return block_->move_to(*to.block_, most, pipes);
}

bool Stream::busy() const { return block_ && block_->pending != nullptr; }

std::size_t Stream::queued() const {
  if (!busy()) return 0;
  const Pending& pending = *block_->pending;
  return (pending.pipe ? pending.pipe->held() : 0) + pending.bytes.size() - pending.written;
}

void Stream::half_close() {
  if (busy()) {
    block_->fin_after_queue = true;
  } else {
    block_->send_fin();
  }
}

std::size_t Stream::untaken() const {
  int in_kernel = 0;
  ::ioctl(descriptor(), SIOCOUTQ, &in_kernel);
  return queued() + static_cast<std::size_t>(std::max(in_kernel, 0));
}

void Stream::keep_alive() {
  if (block_ && !block_->is_unix) loop::keep_alive(block_->fd);
}

void Stream::note_arrivals() {
  const int on = 1;
  const bool noted = ::setsockopt(block_->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0;
  if (noted && !block_->is_unix && block_->arrived_ns < 0) block_->arrived_ns = 0;
}

std::optional<WallTime> Stream::arrived() const {
  if (block_->arrived_ns <= 0) return std::nullopt;
  return WallTime(std::chrono::nanoseconds(block_->arrived_ns));
}

bool Stream::quiet() const { return block_->quiet(); }

bool Stream::readable() const {
  pollfd look{descriptor(), POLLIN, 0};
  return ::poll(&look, 1, 0) > 0;
}

Address Stream::peer() {
  if (const auto known = std::exchange(block_->peer, nullptr)) return *known;
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (block_->is_unix) {
    storage.ss_family = AF_UNIX;  // its client has no address
    size = sizeof(sockaddr_un);
  } else {
    ::getpeername(block_->fd, reinterpret_cast<sockaddr*>(&storage), &size);
  }
  return Address(reinterpret_cast<const sockaddr*>(&storage), size);
}

int Stream::descriptor() const { return block_->fd; }

}  // namespace probegate::loop
