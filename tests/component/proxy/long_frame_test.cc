// Long frames, whose inside goes through a pipe from socket to socket: the same promises as for short ones.
#include <catch2/catch.hpp>
#include <filesystem>

#include "open_tunnel.h"

namespace probegate::test {
namespace {

using Frames = std::vector<std::string>;
using metrics::Direction;

constexpr std::size_t kMostPipes = 8;  // of one data loop

Direction direction_of(From side) {
  return side == From::client ? Direction::client_to_backend : Direction::backend_to_client;
}

// No two places in it look alike.
std::string payload(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t x = 1;
  for (char& c : bytes) {
    x = x * 1'664'525 + 1'013'904'223;
    c = static_cast<char>(x >> 24);
  }
  return bytes;
}

// Ends of pipes that this process has open; libuv has some of its own.
std::size_t pipe_ends() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the directory's own descriptor
    count += std::filesystem::read_symlink(entry.path(), gone).string().starts_with("pipe:") ? 1 : 0;
  }
  return count;
}

bool arrives(OpenTunnel& tunnel, Wire& at, const std::string& bytes) {
  if (!tunnel.loop.until([&] { return at.received().size() >= bytes.size(); }, 30s)) return false;
  return at.received() == bytes;
}

// The reader at `side` takes nothing more, and what is written to it has come to a stand.
std::uint64_t at_a_stand(OpenTunnel& tunnel, From writer) {
  const auto& passed = tunnel.proxy.metrics().tunnel_bytes[direction_of(writer)];
  std::uint64_t before = 0;
  tunnel.await(
      [&] {
        tunnel.loop.run_for(100ms);
        return passed.value() > 0 && std::exchange(before, passed.value()) == passed.value();
      },
      "it goes on and on");
  return before;
}

}  // namespace

TEST_CASE("A long frame passes byte for byte through a pipe, wherever its beginning and its end are cut") {
  const From side = GENERATE(From::client, From::backend);
  OpenTunnel tunnel;
  const std::size_t before = pipe_ends();
  Wire& from = tunnel.end(side);
  Wire& to = tunnel.end(OpenTunnel::other(side));
  const std::string message = frame(side, 0x82, payload(300'000)), next = text(side, "next");
  std::vector<std::size_t> cuts{65'535, 65'536, 65'537, 300'000 - 16'384, 300'000 - 1, message.size() - 1};
  for (std::size_t at = 0; at <= 20; ++at) cuts.push_back(at);

  std::uint64_t bytes = 0;
  for (const std::size_t cut : cuts) {
    CAPTURE(cut);
    from.send(std::string_view(message).substr(0, cut));
    REQUIRE(tunnel.loop.until([&] { return to.received().size() == cut; }));
    from.send(message.substr(cut) + next);
    REQUIRE(arrives(tunnel, to, message + next));
    to.take();
    bytes += message.size() + next.size();
  }
  CHECK(pipe_ends() == before + 2);  // one served for all, and stays
  CHECK(tunnel.proxy.metrics().tunnel_messages[direction_of(side)].value() == 2 * cuts.size());
  CHECK(tunnel.proxy.metrics().tunnel_bytes[direction_of(side)].value() == bytes);
}

TEST_CASE("Long frames pass over a unix socket, as fragments and with control frames between them") {
  const From side = GENERATE(From::client, From::backend);
  TestLoop loop;
  LiveBackend backend(loop, Endpoint::unix_socket("/tmp/probegate-long-" + std::to_string(::getpid())));
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint(), kUpgrade);
  Wire& server = backend.await_request();
  server.take();
  server.send(kSwitching);
  REQUIRE(loop.until([&] { return client.received().ends_with("\r\n\r\n"); }));
  client.take();

  Wire& to = side == From::client ? server : client;
  std::string bytes = frame(side, 0x02, payload(400'000)) + frame(side, 0x89, "between");
  bytes += frame(side, 0x00, payload(5'000'000)) + frame(side, 0x8a, "") + frame(side, 0x80, payload(70'000));
  (side == From::client ? client : server).send(bytes);
  REQUIRE(loop.until([&] { return to.received().size() >= bytes.size(); }, 30s));
  CHECK((to.received() == bytes));
  CHECK(proxy.metrics().tunnel_messages[direction_of(side)].value() == 1);
}

TEST_CASE("More stalled readers than pipes stop their writers all the same, and every byte arrives") {
  constexpr std::size_t kTunnels = kMostPipes + 4;
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  const std::size_t before = pipe_ends();
  std::vector<std::unique_ptr<FakeClient>> clients;
  for (std::size_t i = 0; i < kTunnels; ++i) {
    clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), kUpgrade));
    Wire& server = backend.await_request(i);
    server.send(kSwitching);
    REQUIRE(loop.until([&] { return clients[i]->received().ends_with("\r\n\r\n"); }));
    clients[i]->take();
    clients[i]->stop_reading();
  }
  const std::string message = frame(From::backend, 0x82, payload(16 << 20));
  for (std::size_t i = 0; i < kTunnels; ++i) backend.wire(i).send(message);
  const auto& passed = proxy.metrics().tunnel_bytes[Direction::backend_to_client];
  std::uint64_t last = 0;
  REQUIRE(loop.until([&] {
    loop.run_for(100ms);
    return passed.value() > 0 && std::exchange(last, passed.value()) == passed.value();
  }));
  CHECK(last < kTunnels * message.size());
  CHECK(pipe_ends() > before + 2);
  CHECK(pipe_ends() <= before + 2 * kMostPipes);

  for (const auto& client : clients) client->read_on();
  for (const auto& client : clients) {
    REQUIRE(loop.until([&] { return client->received().size() >= message.size(); }, 30s));
    CHECK((client->received() == message));
  }
  CHECK(pipe_ends() == before + 2);
}

TEST_CASE("A writer that ends inside a long frame leaves a slow reader all that it has sent, and no Close") {
  const From writer = GENERATE(From::client, From::backend);
  OpenTunnel tunnel;
  Wire& reader = tunnel.end(OpenTunnel::other(writer));
  reader.stop_reading();
  const std::string message = frame(writer, 0x82, payload(32 << 20));
  const std::string sent = message.substr(0, message.size() - 100'000);
  tunnel.end(writer).send(sent);
  CHECK(at_a_stand(tunnel, writer) < sent.size());
  tunnel.end(writer).half_close();
  reader.read_on();
  REQUIRE(tunnel.loop.until([&] { return reader.ended(); }, 30s));
  CHECK((reader.received() == sent));
  reader.half_close();

  const auto report = tunnel.report();
  const std::string name = writer == From::client ? "client" : "backend";
  CHECK(report["cause"] == name + "_lost");
  CHECK(report["ended_by"] == name);
  CHECK(report[writer == From::client ? "client_to_backend_bytes" : "backend_to_client_bytes"] ==
        sent.size());
  CHECK(report[writer == From::client ? "client_to_backend_messages" : "backend_to_client_messages"] == 0);
}

TEST_CASE("A reader that is gone inside a long frame ends the tunnel, and gives its pipe back") {
  const From writer = GENERATE(From::client, From::backend);
  const bool by_reset = GENERATE(true, false);
  OpenTunnel tunnel;
  const std::size_t before = pipe_ends();
  Wire& reader = tunnel.end(OpenTunnel::other(writer));
  reader.stop_reading();
  tunnel.end(writer).send(frame(writer, 0x82, payload(32 << 20)));
  at_a_stand(tunnel, writer);
  if (by_reset) {
    reader.reset();
  } else {
    reader.close();
  }
  tunnel.end(writer).close();
  CHECK(tunnel.report()["cause"] == (writer == From::client ? "backend_lost" : "client_lost"));
  CHECK(tunnel.loop.until([&] { return pipe_ends() <= before + 2; }));
}

TEST_CASE("A long frame that keeps coming is no idle tunnel, and a Ping of ours waits for its end") {
  OpenTunnel tunnel([](config::Config& c) {
    c.proxy.websocket.idle_timeout = 400ms;
    c.proxy.websocket.ping_interval = 300ms;
  });
  const std::string message = frame(From::backend, 0x82, payload(1'000'000));
  for (std::size_t at = 0; at < message.size(); at += 100'000) {
    tunnel.server().send(std::string_view(message).substr(at, 100'000));
    tunnel.loop.run_for(100ms);
    if (at < 800'000) CHECK(tunnel.client.received().size() == at + 100'000);
  }
  REQUIRE(tunnel.loop.until([&] { return tunnel.client.received().size() > message.size(); }));
  CHECK((tunnel.client.take().substr(0, message.size()) == message));
}

TEST_CASE("A drain puts its Close behind a long frame, also when its reader is slow") {
  OpenTunnel tunnel([](config::Config& c) { c.drain.timeout = 10ms; });
  tunnel.client.stop_reading();
  const std::string message = frame(From::backend, 0x82, payload(24 << 20));
  tunnel.server().send(message + text(From::backend, "too late"));
  at_a_stand(tunnel, From::backend);
  tunnel.proxy.publish(draining(health::Phase::closing));
  CHECK(tunnel.sees(From::backend, {"M:close 1001"}));
  tunnel.client.read_on();
  REQUIRE(tunnel.loop.until([&] { return tunnel.client.received().size() > message.size(); }, 30s));
  tunnel.loop.run_for(50ms);
  CHECK((tunnel.client.received().substr(0, message.size()) == message));
  CHECK(frames_in(tunnel.client.received().substr(message.size())) == Frames{"close 1001"});
}

}  // namespace probegate::test
