#include "loop/listen_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "loop/address.h"
#include "loop/keep_alive.h"
#include "loop/port_holder.h"

namespace probegate::loop {
namespace {

constexpr int kBacklog = 1024;

void set_option(int fd, int level, int name) {
  const int on = 1;
  ::setsockopt(fd, level, name, &on, sizeof on);
}

// A socket file without a listener was left by a killed process.
void remove_stale_socket(const Address& address) {
  struct stat info {};
  const std::string path = address.ip();
  if (::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return;
  if (::connect(probe, address.raw(), address.size()) != 0 && errno == ECONNREFUSED) ::unlink(path.c_str());
  ::close(probe);
}

std::optional<ListenSocket::File> file_of(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
  return ListenSocket::File{info.st_dev, info.st_ino};
}

std::string bind_error(const Endpoint& endpoint, int code) {
  std::string message = "cannot listen on " + endpoint.to_string() + ": " + std::strerror(code);
  if (code == EADDRINUSE) {
    if (const auto holder = find_port_holder(endpoint)) message += ", held by " + *holder;
  } else if (code == EACCES) {
    message += "; ports below 1024 need CAP_NET_BIND_SERVICE";
  } else if (code == EADDRNOTAVAIL) {
    message += "; no interface of this host has that address";
  }
  return message;
}

}  // namespace

Result<ListenSocket> ListenSocket::bind(const Endpoint& endpoint) {
  Endpoint where = endpoint;
  if (where.host == "localhost") where.host = "127.0.0.1";
  if (where.host == "*") where.host = "0.0.0.0";
  const auto address = Address::literal(where);
  if (!address) {
    return failure("cannot listen on " + endpoint.to_string() +
                   ": give a literal address such as 0.0.0.0, [::] or 127.0.0.1");
  }
  const int fd = ::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failure(bind_error(endpoint, errno));
  if (address->is_unix()) {
    remove_stale_socket(*address);
  } else {
    // Accepted connections inherit both: no delay for small frames, and detection of lost peers.
    set_option(fd, IPPROTO_TCP, TCP_NODELAY);
    keep_alive(fd);
    set_option(fd, SOL_SOCKET, SO_REUSEADDR);
  }
  if (::bind(fd, address->raw(), address->size()) != 0 || ::listen(fd, kBacklog) != 0) {
    const int code = errno;
    ::close(fd);
    return failure(bind_error(endpoint, code));
  }
  if (!where.is_unix() && where.port == 0) {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
    where.port = Address(reinterpret_cast<const sockaddr*>(&bound), size).port();
  }
  return ListenSocket(fd, where, where.is_unix() ? file_of(where.path) : std::nullopt);
}

ListenSocket::ListenSocket(ListenSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), endpoint_(std::move(other.endpoint_)), file_(other.file_) {}

ListenSocket::~ListenSocket() { close(); }

void ListenSocket::close() {
  if (fd_ < 0) return;
  ::close(std::exchange(fd_, -1));
  if (!endpoint_.is_unix()) return;
  // The path may now belong to the socket of a newer process.
  if (const auto named = file_of(endpoint_.path); named && named == file_) ::unlink(endpoint_.path.c_str());
}

Result<int> ListenSocket::duplicate() const {
  const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return failure(std::string("cannot duplicate a listening socket: ") + std::strerror(errno));
  return copy;
}

}  // namespace probegate::loop
