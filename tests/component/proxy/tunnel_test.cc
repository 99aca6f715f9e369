// Traffic through a tunnel: every byte as it was sent, bounded memory, and the Pings that are ours.
#include <algorithm>
#include <catch2/catch.hpp>

#include "open_tunnel.h"

namespace probegate::test {
namespace {

using Frames = std::vector<std::string>;

// Every kind of frame that may pass, sizes on both sides of each length form included.
std::string all_kinds(From side) {
  std::string bytes = text(side, "") + text(side, "hello");
  bytes += frame(side, 0x82, std::string(125, 'a')) + frame(side, 0x82, std::string(126, 'b'));
  bytes += frame(side, 0x89, "ping") + frame(side, 0x8a, "pong") + frame(side, 0x8a, "") +
           frame(side, 0x8a, "8 bytes!");
  bytes += frame(side, 0x01, "frag") + frame(side, 0x89, "between") + frame(side, 0x00, "men") +
           frame(side, 0x80, "ts");
  return bytes;
}

std::string ping_payload(const std::string& ping) { return ping.substr(2); }

}  // namespace

TEST_CASE("Frames of every kind pass byte for byte, whole and in single bytes") {
  const From side = GENERATE(From::client, From::backend);
  OpenTunnel tunnel;
  Wire& to = tunnel.end(OpenTunnel::other(side));
  const std::string bytes = all_kinds(side);
  tunnel.end(side).send_bytewise(bytes);
  REQUIRE(tunnel.loop.until([&] { return to.received().size() >= bytes.size(); }, 30s));
  CHECK(to.take() == bytes);
  const std::string large = bytes + frame(side, 0x82, std::string(65'535, 'c')) +
                            frame(side, 0x82, std::string(65'536, 'd')) +
                            frame(side, 0x82, std::string(3'000'000, 'e'));
  tunnel.end(side).send(large);
  REQUIRE(tunnel.loop.until([&] { return to.received().size() >= large.size(); }, 30s));
  CHECK(to.take() == large);

  const auto direction =
      side == From::client ? metrics::Direction::client_to_backend : metrics::Direction::backend_to_client;
  CHECK(tunnel.proxy.metrics().tunnel_messages[direction].value() == 5 + 5 + 3);
  CHECK(tunnel.proxy.metrics().tunnel_bytes[direction].value() == bytes.size() + large.size());
  CHECK(tunnel.proxy.metrics().tunnels.value() == 1);
}

TEST_CASE(
    "Compressed frames pass where the handshake agreed on compression, and break the protocol elsewhere") {
  const std::string offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
  const std::string compressed = frame(From::client, 0xc1, "\xf2\x48\xcd");
  const auto with = [](std::string head, const std::string& line) {
    return head.insert(head.size() - 2, line);
  };
  SECTION("agreed") {
    OpenTunnel tunnel({}, with(kSwitching, offer), with(kUpgrade, offer));
    tunnel.client.send(compressed);
    REQUIRE(tunnel.loop.until([&] { return tunnel.server().received() == compressed; }));
  }
  SECTION("offered and not taken") {
    OpenTunnel tunnel({}, kSwitching, with(kUpgrade, offer));
    tunnel.client.send(compressed);
    CHECK(tunnel.sees(From::client, {"close 1002"}));
    CHECK(tunnel.sees(From::backend, {"M:close 1002"}));
  }
}

TEST_CASE("Bytes glued to either head reach the other side, wherever the pieces are cut") {
  const std::string from_client = text(From::client, "early"), from_backend = text(From::backend, "first");
  const std::string request = kUpgrade + from_client, answer = kSwitching + from_backend;
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  const std::size_t splits = std::max(request.size(), answer.size());
  for (std::size_t at = 1; at < splits; ++at) {
    FakeClient client(loop, proxy.endpoint(), request.substr(0, std::min(at, request.size())));
    loop.settle(3);
    if (at < request.size()) client.send(request.substr(at));
    Wire& server = backend.await_request(at - 1);
    server.send(answer.substr(0, std::min(at, answer.size())));
    loop.settle(3);
    if (at < answer.size()) server.send(answer.substr(at));
    REQUIRE(loop.until([&] { return client.received().ends_with(from_backend); }));
    REQUIRE(loop.until([&] { return server.received().ends_with(from_client); }));
    CHECK(client.received().find("\r\n\r\n") + 4 + from_backend.size() == client.received().size());
    client.reset();
    server.reset();
  }
  CHECK(loop.until([&] { return proxy.metrics().tunnels.value() == 0; }));
}

TEST_CASE("A reader that stops stops the writer behind it, and gets every byte once it reads on") {
  const From writer = GENERATE(From::client, From::backend);
  OpenTunnel tunnel;
  Wire& reader = tunnel.end(OpenTunnel::other(writer));
  reader.stop_reading();
  const std::size_t size = GENERATE(1u << 20, 8'000u);  // through a pipe, and through memory
  const std::string message = frame(writer, 0x82, std::string(size, 'x'));
  const std::size_t messages = (48u << 20) / size;
  for (std::size_t i = 0; i < messages; ++i) tunnel.end(writer).send(message);

  const auto& passed =
      tunnel.proxy.metrics().tunnel_bytes[writer == From::client ? metrics::Direction::client_to_backend
                                                                 : metrics::Direction::backend_to_client];
  // It comes to a stand once the kernel's buffers are full.
  std::uint64_t before = 0;
  REQUIRE(tunnel.loop.until([&] {
    tunnel.loop.run_for(100ms);
    return passed.value() > 0 && std::exchange(before, passed.value()) == passed.value();
  }));
  CHECK(before < 24u << 20);
  CHECK_FALSE(tunnel.end(writer).sent());
  // The other direction is not held up by that.
  const From other = OpenTunnel::other(writer);
  tunnel.end(other).send(text(other, "still here"));
  CHECK(tunnel.loop.until([&] { return frames_in(tunnel.end(writer).received()).size() == 1; }));

  reader.read_on();
  REQUIRE(tunnel.loop.until([&] { return reader.received().size() >= messages * message.size(); }, 30s));
  bool equal = reader.received().size() == messages * message.size();
  for (std::size_t i = 0; equal && i < messages; ++i) {
    equal = reader.received().compare(i * message.size(), message.size(), message) == 0;
  }
  CHECK(equal);
}

TEST_CASE("A silent client is pinged, and its answer stays between the two of us") {
  VirtualTime time;
  OpenTunnel tunnel([](config::Config& c) { c.proxy.websocket.ping_interval = 150ms; });
  const auto next_ping = [&] {
    REQUIRE(tunnel.sees(From::client, {"ping"}));
    return ping_payload(tunnel.client.take());
  };
  const std::string pong = frame(From::client, 0x8a, next_ping());
  SECTION("the answer comes whole") { tunnel.client.send(pong); }
  SECTION("the answer comes in single bytes") { tunnel.client.send_bytewise(pong); }
  SECTION("the answer comes among other frames") {
    const std::string others = frame(From::client, 0x8a, "8 bytes!"), half = text(From::client, "half");
    tunnel.client.send(half + pong + others + pong + others + half.substr(0, 5));
    REQUIRE(tunnel.loop.until(
        [&] { return tunnel.server().received() == half + others + others + half.substr(0, 5); }));
    tunnel.client.send(half.substr(5) + pong);
    REQUIRE(tunnel.loop.until([&] { return tunnel.server().received() == half + others + others + half; }));
    tunnel.server().take();
  }
  // It goes on, with the same question each time, and the backend hears nothing of it.
  for (int i = 0; i < 3; ++i) {
    REQUIRE(frame(From::client, 0x8a, next_ping()) == pong);
    tunnel.client.send(pong);
  }
  CHECK(tunnel.server().received().empty());
  tunnel.client.send(text(From::client, "and on"));
  CHECK(tunnel.sees(From::backend, {"M:text and on"}));
}

TEST_CASE("Whatever only looks like the answer to our Ping passes, wherever it is cut") {
  OpenTunnel tunnel([](config::Config& c) { c.proxy.websocket.ping_interval = 100ms; });
  REQUIRE(tunnel.sees(From::client, {"ping"}));
  std::string other = ping_payload(tunnel.client.take());
  other.back() = static_cast<char>(other.back() ^ 1);
  const std::string lookalikes = frame(From::client, 0x8a, other) + frame(From::client, 0x8a, "7 bytes") +
                                 frame(From::client, 0x8a, "") + frame(From::client, 0x89, "8 bytes!");
  tunnel.client.send_bytewise(lookalikes);
  REQUIRE(tunnel.loop.until([&] { return tunnel.server().received() == lookalikes; }));
  tunnel.client.send(lookalikes);
  REQUIRE(tunnel.loop.until([&] { return tunnel.server().received() == lookalikes + lookalikes; }));
}

TEST_CASE(
    "A client that does not answer a Ping is dead, one that sends anything is not, one that talks is not "
    "pinged") {
  const auto ping = [](config::Config& c) { c.proxy.websocket.ping_interval = 200ms; };
  OpenTunnel tunnel(ping);
  SECTION("no answer") {
    CHECK(tunnel.sees(From::client, {"ping", "close 1001"}));
    CHECK(tunnel.sees(From::backend, {"M:close 1001"}));
    tunnel.client.close();
    tunnel.server().close();
    CHECK(tunnel.report()["cause"] == "ping_timeout");
  }
  SECTION("talks") {
    std::size_t sent = 0;
    const auto is_passed_on = [&] { return frames_in(tunnel.server().received()).size() == sent; };
    for (const auto end = tunnel.loop->now() + 600ms; tunnel.loop->now() < end; ++sent) {
      REQUIRE(tunnel.loop.until(is_passed_on));
      tunnel.client.send(text(From::client, "x"));
    }
    CHECK(tunnel.client.received().empty());
  }
  SECTION("the backend's talking does not count for the client") {
    std::size_t sent = 0;
    CHECK(tunnel.loop.until([&] {
      const auto seen = frames_in(tunnel.client.received());
      if (std::find(seen.begin(), seen.end(), "ping") != seen.end()) return true;
      if (seen.size() == sent) tunnel.server().send(text(From::backend, std::to_string(sent++)));
      return false;
    }));
    CHECK(sent > 1);
  }
}

TEST_CASE("A Ping of ours waits for the end of the backend's frame") {
  OpenTunnel tunnel([](config::Config& c) { c.proxy.websocket.ping_interval = 100ms; });
  const std::string message = text(From::backend, "a long one");
  tunnel.server().send(message.substr(0, 5));
  tunnel.loop.run_for(250ms);
  CHECK(frames_in(tunnel.client.received()) == Frames{"rest 5"});
  tunnel.server().send(message.substr(5));
  CHECK(tunnel.sees(From::client, {"text a long one", "ping"}));
}

}  // namespace probegate::test
