#include "net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address parse(const std::string& text) {
  Address address;
  if (text.starts_with("unix:")) {
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    const std::string path = text.substr(5);
    if (path.empty() || path.size() >= sizeof(local.sun_path)) fail("bad socket path " + text);
    std::memcpy(local.sun_path, path.data(), path.size());
    std::memcpy(&address.storage, &local, sizeof(local));
    address.size = sizeof(local);
    return address;
  }
  const std::size_t colon = text.rfind(':');
  sockaddr_in internet{};
  internet.sin_family = AF_INET;
  unsigned port = 0;
  const char* end = text.data() + text.size();
  if (colon == std::string::npos || std::from_chars(text.data() + colon + 1, end, port).ptr != end ||
      port > 65535 || ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &internet.sin_addr) != 1) {
    fail("bad address " + text + ", expected IPv4:PORT or unix:/path");
  }
  internet.sin_port = htons(static_cast<in_port_t>(port));
  std::memcpy(&address.storage, &internet, sizeof(internet));
  address.size = sizeof(internet);
  return address;
}

// Small messages must leave at once; a unix socket has nothing to delay and refuses the option.
void send_at_once(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

void fail(std::string_view what, bool with_errno) {
  const char* reason = with_errno ? std::strerror(errno) : "";
  std::fprintf(stderr, "%s%.*s%s%s\n", "bench: ", static_cast<int>(what.size()), what.data(),
               with_errno ? ": " : "", reason);
  std::_Exit(1);
}

int listen_on(const std::string& text) {
  const Address address = parse(text);
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (fd < 0) fail("socket", true);
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd, address.get(), address.size) != 0 || ::listen(fd, SOMAXCONN) != 0)
    fail("listen on " + text, true);
  return fd;
}

int connect_to(const std::string& text) {
  const Address address = parse(text);
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket", true);
  // Blocking: over loopback the kernel completes it alone, unless the accept queue is full, and then waiting
  // is right.
  if (::connect(fd, address.get(), address.size) != 0) fail("connect to " + text, true);
  if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl", true);
  send_at_once(fd);
  return fd;
}

int accept_from(int listener) {
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    send_at_once(fd);
  } else if (errno != EAGAIN && errno != ECONNABORTED) {
    fail("accept", true);
  }
  return fd;
}

int new_epoll() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) fail("epoll_create1", true);
  return fd;
}

void watch(int epoll, int fd, void* owner) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = owner;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl", true);
}

Moved receive(int fd, std::span<char> into) {
  const ssize_t count = ::recv(fd, into.data(), into.size(), 0);
  if (count > 0) return {Flow::kMoved, static_cast<std::size_t>(count)};
  return {count < 0 && errno == EAGAIN ? Flow::kBlocked : Flow::kEnded, 0};
}

Moved transmit(int fd, std::string_view bytes) {
  const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return {Flow::kMoved, static_cast<std::size_t>(count)};
  return {errno == EAGAIN ? Flow::kBlocked : Flow::kEnded, 0};
}

std::string option(int argc, char** argv, std::string_view name, std::string_view otherwise) {
  for (int i = 1; i + 1 < argc; i += 2) {
    if (argv[i] == name) return argv[i + 1];
  }
  return std::string(otherwise);
}

}  // namespace bench
