#include "loop/poller.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace probegate::loop {
namespace {

epoll_event event_of(std::uint32_t events, void* data) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = data;
  return event;
}

}  // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::runtime_error(std::string("cannot watch sockets: ") + std::strerror(errno));
}

Poller::~Poller() {
  while (again_ != nullptr) {  // only released sockets can be left
    Socket* const socket = std::exchange(again_, again_->next_);
    socket->again_ = false;
    release(socket);
  }
  sweep();
  ::close(epoll_);
}

int Poller::add(int descriptor, std::uint32_t events, Socket& socket) {
  epoll_event event = event_of(events, &socket);
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : -errno;
}

void Poller::modify(int descriptor, std::uint32_t events, Socket& socket) {
  epoll_event event = event_of(events, &socket);
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event);
}

void Poller::remove(int descriptor) { ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr); }

void Poller::poll_again(Socket& socket) {
  if (std::exchange(socket.again_, true)) return;
  socket.next_ = std::exchange(again_, &socket);
}

void Poller::release(Socket* socket) noexcept {
  socket->released_ = true;
  if (!socket->again_) socket->next_ = std::exchange(released_, socket);
}

void Poller::watch_libuv(int descriptor) {
  epoll_event event = event_of(EPOLLIN, nullptr);
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    throw std::runtime_error(std::string("cannot watch libuv: ") + std::strerror(errno));
  }
}

void Poller::wait(int millis) {
  if (again_ != nullptr) millis = 0;
  const int ready = ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), millis);
  ready_ = static_cast<std::size_t>(std::max(0, ready));
  told_ = 0;
  marked_ = false;
}

// Computed on demand, because tunnels never need it.
std::uint32_t Poller::coming(const Socket& socket) {
  if (!std::exchange(marked_, true)) {
    for (const epoll_event& event : untold()) {
      if (event.data.ptr != nullptr) static_cast<Socket*>(event.data.ptr)->coming_ = event.events;
    }
  }
  return socket.coming_;
}

bool Poller::tell() {
  // Sockets that called poll_again() come first; calls of poll_again() in their callbacks are handled in
  // the next iteration.
  for (Socket* next = std::exchange(again_, nullptr); next != nullptr;) {
    Socket* const socket = std::exchange(next, next->next_);
    socket->again_ = false;
    if (socket->released_) {
      release(socket);
    } else {
      socket->on_ready(0);
    }
  }
  bool libuv = false;
  while (told_ < ready_) {
    const epoll_event& event = events_[told_++];
    auto* const socket = static_cast<Socket*>(event.data.ptr);
    libuv = libuv || socket == nullptr;
    if (socket == nullptr) continue;
    socket->coming_ = 0;
    if (!socket->released_) socket->on_ready(event.events);
  }
  sweep();
  return libuv;
}

void Poller::sweep() noexcept {
  while (released_ != nullptr) delete std::exchange(released_, released_->next_);
}

}  // namespace probegate::loop
