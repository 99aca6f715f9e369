#include "loop/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

namespace probegate::loop {

struct Stream::Pending {
  uv_write_t request{};
  std::string writing;  // owned by libuv until its callback
  std::string next;     // what came meanwhile
};

Stream::Block::Block(Loop& l, Stream* o, StreamObserver* obs)
    : uv{}, loop(l), sink(l.sink()), owner(o), observer(obs) {}

Stream::Block::~Block() = default;

int Stream::Block::init(int family) {
  const int status =
      family == AF_UNIX ? uv_pipe_init(loop.uv(), &uv.pipe, 0) : uv_tcp_init(loop.uv(), &uv.tcp);
  uv.handle.data = this;
  return status;
}

Stream& Stream::operator=(Stream&& other) noexcept {
  block_ = std::move(other.block_);
  if (block_) block_->owner = this;
  return *this;
}

Stream Stream::connect(Loop& loop, const Address& address, StreamObserver& observer, int& status) {
  Stream stream;
  auto block = std::make_unique<Block>(loop, &stream, &observer);
  if (status = block->init(address.family()); status < 0) return {};
  stream.block_.reset(block.release());

  Block& b = *stream.block_;
  b.connecting = std::make_unique<uv_connect_t>();
  b.connecting->data = &b;
  const auto connected = [](uv_connect_t* request, int result) {
    auto* self = static_cast<Block*>(request->data);
    self->connecting.reset();
    if (self->owner != nullptr)
      self->loop.enter(self->sink, [self, result] { self->observer->on_connected(result); });
  };
  if (address.is_unix()) {
    uv_pipe_connect(b.connecting.get(), &b.uv.pipe, address.ip().c_str(), connected);
  } else {
    status = uv_tcp_connect(b.connecting.get(), &b.uv.tcp, address.raw(), connected);
    if (status == 0) uv_tcp_nodelay(&b.uv.tcp, 1);
  }
  if (status < 0) return {};
  return stream;
}

Stream Stream::adopt(Loop& loop, int descriptor, bool is_unix) {
  struct Untaken {
    int fd;
    ~Untaken() {
      if (fd >= 0) ::close(fd);
    }
  } untaken{descriptor};  // also when the memory for the handle is missing
  Stream stream;
  auto block = std::make_unique<Block>(loop, &stream, nullptr);
  int status = block->init(is_unix ? AF_UNIX : AF_INET);
  if (status == 0) {
    stream.block_.reset(block.release());  // from here on the handle must be closed by libuv
    auto& uv = stream.block_->uv;
    status = is_unix ? uv_pipe_open(&uv.pipe, descriptor) : uv_tcp_open(&uv.tcp, descriptor);
  }
  if (status < 0) return {};
  untaken.fd = -1;
  return stream;
}

void Stream::set_observer(StreamObserver& observer) {
  block_->observer = &observer;
  block_->sink = block_->loop.sink();
}

void Stream::reset() {
  if (block_ && block_->uv.handle.type == UV_TCP) {
    const linger now{1, 0};
    ::setsockopt(descriptor(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  block_.reset();
}

void Stream::on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
  *buffer = uv_buf_init(static_cast<Block*>(handle->data)->loop.read_buffer(), Loop::kReadBuffer);
}

void Stream::on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  auto* block = static_cast<Block*>(stream->data);
  if (size == 0 || block->owner == nullptr) return;
  if (size < 0 && size != UV_EOF) return lose(*block, static_cast<int>(size));
  block->loop.enter(block->sink, [block, size, buffer] {
    if (size > 0) {
      block->observer->on_data({buffer->base, static_cast<std::size_t>(size)});
    } else {
      block->observer->on_end();
    }
  });
}

void Stream::lose(Block& block, int status) {
  if (std::exchange(block.lost, true)) return;
  uv_read_stop(&block.uv.stream);
  block.loop.enter(block.sink, [&] { block.observer->on_lost(status); });
}

void Stream::read_start() { uv_read_start(&block_->uv.stream, on_alloc, on_read); }

void Stream::read_stop() { uv_read_stop(&block_->uv.stream); }

bool Stream::reading() const {
  return block_ && uv_is_active(&block_->uv.handle) && uv_is_readable(&block_->uv.stream);
}

bool Stream::write(std::string_view first, std::string_view second) {
  if (block_->lost) return false;
  if (busy()) {
    queue(first, second);
    return true;
  }
  const uv_buf_t buffers[] = {
      uv_buf_init(const_cast<char*>(first.data()), static_cast<unsigned>(first.size())),
      uv_buf_init(const_cast<char*>(second.data()), static_cast<unsigned>(second.size()))};
  const int written = uv_try_write(&block_->uv.stream, buffers, second.empty() ? 1 : 2);
  if (written < 0 && written != UV_EAGAIN) return false;
  const auto taken = static_cast<std::size_t>(written < 0 ? 0 : written);
  if (taken == first.size() + second.size()) return true;
  if (taken < first.size()) {
    first.remove_prefix(taken);
  } else {
    second.remove_prefix(taken - first.size());
    first = {};
  }
  queue(first, second);
  if (flush(*block_) == 0) return true;
  block_->pending.reset();
  return false;
}

void Stream::queue(std::string_view first, std::string_view second) {
  if (!block_->pending) block_->pending = std::make_unique<Pending>();
  block_->pending->next.append(first).append(second);
}

int Stream::flush(Block& block) {
  Pending& pending = *block.pending;
  pending.writing = std::exchange(pending.next, {});
  pending.request.data = &block;
  const auto buffer = uv_buf_init(pending.writing.data(), static_cast<unsigned>(pending.writing.size()));
  return uv_write(&pending.request, &block.uv.stream, &buffer, 1, [](uv_write_t* request, int status) {
    auto* self = static_cast<Block*>(request->data);
    if (self->owner == nullptr) return;
    const bool more = !self->pending->next.empty();
    if (status == 0 && more) status = flush(*self);
    if (status < 0) {
      self->pending.reset();
      lose(*self, status);
    } else if (!more) {
      self->pending.reset();  // an idle connection holds no buffer
      if (self->fin_after_queue) send_fin(*self);
      self->loop.enter(self->sink, [self] { self->observer->on_drained(); });
    }
  });
}

bool Stream::busy() const { return block_ && block_->pending != nullptr; }

std::size_t Stream::queued() const {
  return busy() ? block_->pending->writing.size() + block_->pending->next.size() : 0;
}

void Stream::half_close() {
  if (busy()) {
    block_->fin_after_queue = true;
  } else {
    send_fin(*block_);
  }
}

// uv_shutdown would do the same with a request and two epoll_ctl calls; the queue is empty here.
void Stream::send_fin(Block& block) {
  uv_os_fd_t fd = -1;
  if (uv_fileno(&block.uv.handle, &fd) == 0) ::shutdown(fd, SHUT_WR);
}

namespace {

bool polls(int descriptor, short events) {
  pollfd look{descriptor, events, 0};
  return ::poll(&look, 1, 0) > 0;
}

}  // namespace

bool Stream::readable() const { return polls(descriptor(), POLLIN); }

bool Stream::hung_up() const { return polls(descriptor(), POLLRDHUP); }

Address Stream::peer() const {
  if (block_->uv.handle.type == UV_NAMED_PIPE) {
    sockaddr_un unnamed{};
    unnamed.sun_family = AF_UNIX;
    return Address(reinterpret_cast<const sockaddr*>(&unnamed), sizeof unnamed);
  }
  sockaddr_storage storage{};
  int size = sizeof storage;
  uv_tcp_getpeername(&block_->uv.tcp, reinterpret_cast<sockaddr*>(&storage), &size);
  return Address(reinterpret_cast<const sockaddr*>(&storage), static_cast<socklen_t>(size));
}

int Stream::descriptor() const {
  uv_os_fd_t fd = -1;
  uv_fileno(&block_->uv.handle, &fd);
  return fd;
}

}  // namespace probegate::loop
