#include "loop/listen_socket.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "loop/keep_alive.h"

using namespace probegate;
using loop::ListenSocket;

namespace {

struct Directory {
  Directory() { REQUIRE(::mkdtemp(path) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path); }
  Endpoint socket() const { return Endpoint::unix_socket(std::string(path) + "/proxy.sock"); }
  char path[32] = "/tmp/listen-socket-XXXXXX";
};

}  // namespace

TEST_CASE("A process that ends leaves the socket file of the one that replaced it") {
  const Directory directory;
  const auto path = directory.socket().path;
  std::optional<ListenSocket> old(std::move(*ListenSocket::bind(directory.socket())));
  std::filesystem::rename(path, path + ".old");  // as a deployment does it
  const auto next = ListenSocket::bind(directory.socket());
  REQUIRE(next);
  old.reset();
  CHECK(std::filesystem::is_socket(path));
}

TEST_CASE("A process that ends takes its own socket file with it") {
  const Directory directory;
  std::optional<ListenSocket> socket(std::move(*ListenSocket::bind(directory.socket())));
  CHECK(std::filesystem::is_socket(directory.socket().path));
  socket.reset();
  CHECK_FALSE(std::filesystem::exists(directory.socket().path));
}

TEST_CASE("A peer that is gone without a word is asked three times, 10 s apart, after 30 s of silence") {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(descriptor >= 0);
  loop::keep_alive(descriptor);
  const auto option = [&](int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(descriptor, level, name, &value, &size) == 0 ? value : -1;
  };
  CHECK(option(SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(option(IPPROTO_TCP, TCP_KEEPIDLE) == 30);
  CHECK(option(IPPROTO_TCP, TCP_KEEPINTVL) == 10);
  CHECK(option(IPPROTO_TCP, TCP_KEEPCNT) == 3);
  ::close(descriptor);
}
