#include "loop/listener.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>

#include "stream_pair.h"
#include "support/fake_peer.h"

namespace probegate::test {
namespace {

using loop::Address;
using loop::Listener;
using loop::ListenSocket;
using loop::Stream;

// A client without a loop: the kernel completes its connect by itself.
class RawClient {
 public:
  explicit RawClient(const Endpoint& endpoint) {
    const auto address = *Address::literal(endpoint);
    fd_ = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    std::ignore = ::connect(fd_, address.raw(), address.size());
  }
  ~RawClient() { ::close(fd_); }
  RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  bool closed_by_peer() const {
    char byte = 0;
    const auto size = ::recv(fd_, &byte, 1, MSG_PEEK);
    return size == 0 || (size < 0 && errno != EAGAIN && errno != ENOTCONN);
  }

 private:
  int fd_ = -1;
};

// Takes every descriptor the limit leaves, and gives them back.
class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit small{256, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &small);
    for (int fd = 0; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.push_back(fd);
  }
  ~NoDescriptorsLeft() {
    for (const int fd : taken_) ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  NoDescriptorsLeft(const NoDescriptorsLeft&) = delete;
  NoDescriptorsLeft& operator=(const NoDescriptorsLeft&) = delete;

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

Duration cpu_time() {
  timespec spent{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

}  // namespace

TEST_CASE("Listener accepts every connection, over TCP and unix sockets") {
  TestLoop loop;
  const auto socket = listen_on(GENERATE(any_tcp(), any_unix("listener"), Endpoint::tcp("::1", 0)));
  std::vector<Stream> accepted;
  Listener listener(loop, *socket.duplicate(), socket.endpoint().is_unix(),
                    [&](Stream stream) { accepted.push_back(std::move(stream)); });
  std::vector<RawClient> clients;
  for (int i = 0; i < 100; ++i) clients.emplace_back(socket.endpoint());
  CHECK(loop.until([&] { return accepted.size() == 100; }));
}

TEST_CASE("Listener destroyed stops accepting; the socket itself lives on") {
  TestLoop loop;
  const auto socket = listen_on(any_tcp());
  int first = 0, second = 0;
  std::optional<Listener> listener;
  listener.emplace(*loop, *socket.duplicate(), false, [&](Stream) { ++first; });
  RawClient one(socket.endpoint());
  REQUIRE(loop.until([&] { return first == 1; }));
  listener.reset();
  RawClient two(socket.endpoint());
  loop.settle();
  CHECK(first == 1);
  listener.emplace(*loop, *socket.duplicate(), false, [&](Stream) { ++second; });
  CHECK(loop.until([&] { return second == 1; }));
}

TEST_CASE("Listener may be destroyed inside its callback") {
  TestLoop loop;
  const auto socket = listen_on(any_tcp());
  std::optional<Listener> listener;
  int accepted = 0;
  listener.emplace(*loop, *socket.duplicate(), false, [&](Stream) {
    ++accepted;
    listener.reset();
  });
  RawClient one(socket.endpoint()), two(socket.endpoint());
  REQUIRE(loop.until([&] { return accepted == 1; }));
  loop.settle();
  CHECK(accepted == 1);
}

TEST_CASE("Listener leaves a connection to another one that may take it, and takes it when nobody does") {
  TestLoop loop;
  const auto socket = listen_on(any_tcp());
  bool second_may = true;
  int first = 0, second = 0;
  Listener one(
      loop, *socket.duplicate(), false, [&](Stream) { ++first; }, [] { return Listener::Turn::leave; });
  Listener two(
      loop, *socket.duplicate(), false, [&](Stream) { ++second; },
      [&] { return second_may ? Listener::Turn::take : Listener::Turn::leave; });
  std::vector<RawClient> clients;
  for (int i = 1; i <= 10; ++i) {
    clients.emplace_back(socket.endpoint());
    REQUIRE(loop.until([&] { return second == i; }));
  }
  CHECK(first == 0);
  second_may = false;
  for (int i = 0; i < 5; ++i) clients.emplace_back(socket.endpoint());
  CHECK(loop.until([&] { return first + second == 15; }));
}

TEST_CASE("Listener accepts what waits in the queue before it goes") {
  TestLoop loop;
  auto socket = listen_on(any_tcp());
  int accepted = 0;
  Listener listener(
      loop, *socket.duplicate(), false, [&](Stream) { ++accepted; }, [] { return Listener::Turn::leave; });
  std::vector<RawClient> clients;
  for (int i = 0; i < 100; ++i) clients.emplace_back(socket.endpoint());
  socket.close();
  listener.accept_rest();
  CHECK(accepted == 100);
}

TEST_CASE("Listener drops a stream that its callback does not keep") {
  TestLoop loop;
  const auto socket = listen_on(any_tcp());
  Listener listener(loop, *socket.duplicate(), false, [](Stream) {});
  RawClient client(socket.endpoint());
  CHECK(loop.until([&] { return client.closed_by_peer(); }));
}

TEST_CASE("Listener without descriptors neither spins nor stops, and accepts again when there are some") {
  TestLoop loop;
  const auto socket = listen_on(any_tcp());
  std::vector<Stream> accepted;
  Listener listener(loop, *socket.duplicate(), false,
                    [&](Stream stream) { accepted.push_back(std::move(stream)); });
  loop.settle();
  std::vector<RawClient> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(socket.endpoint());
  Duration spent{0};
  std::size_t without = 0;
  std::uint64_t attempts = loop::accept_failures().count;
  {
    NoDescriptorsLeft none;  // no CHECK in here: UBSan needs a descriptor to look at a vptr
    const Duration before = cpu_time();
    loop.run_for(300ms);
    spent = cpu_time() - before;
    without = accepted.size();
    attempts = loop::accept_failures().count - attempts;
  }
  CHECK(spent < 200ms);
  CHECK(attempts < 20);  // on a busy machine a loop that spins has little time to be seen by
  CHECK(without == 0);
  RawClient late(socket.endpoint());
  CHECK(loop.until([&] { return accepted.size() == 21; }));
}

TEST_CASE("Listener without descriptors for a long time still leaves the loop to others") {
  TestLoop loop;
  const auto socket = listen_on(any_tcp());
  int accepted = 0;
  Listener listener(loop, *socket.duplicate(), false, [&](Stream) { ++accepted; });
  loop.settle();
  std::vector<RawClient> clients;
  for (int i = 0; i < 5; ++i) clients.emplace_back(socket.endpoint());
  // libuv keeps a spare descriptor for this case; another thread may take its place while it is in use.
  ::close(std::exchange(loop->uv()->emfile_fd, -1));
  int ticks = 0;
  loop::Timer timer(loop, [&] { ++ticks; });
  timer.start_repeating(5ms);
  Duration spent{0};
  {
    NoDescriptorsLeft none;
    const Duration before = cpu_time();
    loop.run_for(200ms);
    spent = cpu_time() - before;
  }
  CHECK(ticks >= 20);
  CHECK(spent < 150ms);
  CHECK(loop.until([&] { return accepted == 5; }));  // none was dropped
}

TEST_CASE("Listen socket says which address is taken, and by whom") {
  const auto socket = listen_on(any_tcp());
  const auto again = ListenSocket::bind(socket.endpoint());
  REQUIRE_FALSE(again);
  CHECK_THAT(
      again.error().message,
      Catch::StartsWith("cannot listen on " + socket.endpoint().to_string() + ": Address already in use") &&
          Catch::Contains("held by pid " + std::to_string(::getpid()) + " (component_loop)"));
}

TEST_CASE("Listen socket explains what it cannot bind") {
  CHECK_THAT(ListenSocket::bind(Endpoint::tcp("example.com", 0)).error().message,
             Catch::Contains("give a literal address"));
  CHECK_THAT(ListenSocket::bind(Endpoint::tcp("192.0.2.1", 0)).error().message,
             Catch::Contains("no interface of this host has that address"));
  CHECK_THAT(ListenSocket::bind(Endpoint::unix_socket("/nowhere/at/all.sock")).error().message,
             Catch::Contains("No such file or directory"));
}

TEST_CASE("Listen socket resolves localhost and * by itself, and knows the port it got") {
  for (const std::string host : {"localhost", "*", "0.0.0.0", "::1"}) {
    CAPTURE(host);
    const auto socket = ListenSocket::bind(Endpoint::tcp(host, 0));
    REQUIRE(socket);
    CHECK(socket->endpoint().port != 0);
  }
}

TEST_CASE("Listen socket replaces a dead unix socket, refuses a living one, and removes its own") {
  const auto endpoint = any_unix("stale");
  struct stat info {};
  {
    auto socket = ListenSocket::bind(endpoint);
    REQUIRE(socket);
    CHECK_THAT(ListenSocket::bind(endpoint).error().message, Catch::Contains("Address already in use"));
    CHECK(::stat(endpoint.path.c_str(), &info) == 0);
  }
  CHECK(::stat(endpoint.path.c_str(), &info) != 0);

  const auto address = *Address::literal(endpoint);
  const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(::bind(dead, address.raw(), address.size()) == 0);
  ::close(dead);  // the file stays, as after SIGKILL
  CHECK(ListenSocket::bind(endpoint));
}

TEST_CASE("Listen socket never removes a file that is no socket") {
  const auto endpoint = any_unix("precious");
  const int file = ::open(endpoint.path.c_str(), O_CREAT | O_WRONLY, 0600);
  ::close(file);
  CHECK_FALSE(ListenSocket::bind(endpoint));
  struct stat info {};
  CHECK(::stat(endpoint.path.c_str(), &info) == 0);
  ::unlink(endpoint.path.c_str());
}

TEST_CASE("Listener takes no more than 64 connections in a turn") {
  TestLoop loop;
  const auto socket = listen_on(any_tcp());
  std::size_t accepted = 0, most = 0;
  Listener listener(loop, *socket.duplicate(), false, [&](Stream) { ++accepted; });
  std::vector<RawClient> clients;
  for (int i = 0; i < 200; ++i) clients.emplace_back(socket.endpoint());
  for (int turns = 0; accepted < 200 && turns < 100'000; ++turns) {
    const auto before = accepted;
    loop.settle(1);
    most = std::max(most, accepted - before);
  }
  CHECK(accepted == 200);
  CHECK(most <= 64);
}

}  // namespace probegate::test
