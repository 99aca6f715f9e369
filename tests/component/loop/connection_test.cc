#include "loop/connection.h"

#include <catch2/catch.hpp>
#include <stdexcept>

#include "connection_rig.h"
#include "stream_pair.h"

namespace probegate::test {
namespace {

using loop::Connection;
using loop::TlsSettings;
using Phase = loop::ConnectionObserver::Phase;

TEST_CASE("Connection carries a conversation, in plain text and over TLS") {
  TestLoop loop;
  Peer peer(loop, GENERATE(false, true), {expect("PING\r\n"), send("+PONG\r\n"), half_close()});
  Talk talk(loop);
  talk.open(peer.endpoint(), peer.settings);
  REQUIRE(talk.say("PING\r\n"));
  CHECK(talk.received == "+PONG\r\n");
  CHECK(talk.failures == 0);
  CHECK(talk.ends == 1);
}

TEST_CASE("Connection works when every byte comes alone") {
  TestLoop loop;
  Peer peer(loop, GENERATE(false, true), {expect("x"), send_bytewise("slowly, but surely"), half_close()});
  Talk talk(loop);
  talk.open(peer.endpoint(), peer.settings);
  REQUIRE(talk.say("x"));
  CHECK(talk.received == "slowly, but surely");
}

TEST_CASE("Connection speaks over a unix socket") {
  TestLoop loop;
  FakePeer peer(
      loop,
      [](std::size_t) {
        return Script{expect("hello"), send("world"), close()};
      },
      any_unix("connection"));
  Talk talk(loop);
  talk.open(peer.endpoint());
  REQUIRE(talk.say("hello"));
  CHECK(talk.received == "world");
}

TEST_CASE("Connection says that nobody listens") {
  TestLoop loop;
  const auto port = closed_port();
  Talk talk(loop);
  const std::string host = GENERATE("127.0.0.1", "localhost");
  talk.open(Endpoint::tcp(host, port));
  REQUIRE(talk.until_over());
  CHECK(talk.phase == Phase::connect);
  CHECK_THAT(talk.why, Catch::Contains("cannot connect to") &&
                           Catch::Contains("127.0.0.1:" + std::to_string(port) + ": connection refused"));
  CHECK_FALSE(talk.connection->write("x"));
  CHECK(talk.failures == 1);
}

TEST_CASE("Connection to a name reaches a peer on one of its addresses only") {
  TestLoop loop;
  FakePeer peer(loop, {send("on IPv4"), close()});  // localhost may also be ::1, where nobody listens
  Talk talk(loop);
  talk.open(Endpoint::tcp("localhost", peer.port()));
  REQUIRE(talk.until_over());
  CHECK(talk.received == "on IPv4");
}

TEST_CASE("Connection names the name that does not resolve") {
  TestLoop loop;
  Talk talk(loop);
  talk.open(Endpoint::tcp("no such host", 1));
  REQUIRE(talk.until_over());
  CHECK(talk.phase == Phase::resolve);
  CHECK_THAT(talk.why, Catch::StartsWith("cannot resolve no such host: "));
}

TEST_CASE("Connection to a black hole waits, and may be given up at any time") {
  TestLoop loop;
  BlackHole hole;
  Talk talk(loop);
  talk.open(hole.endpoint());
  loop.run_for(50ms);
  CHECK(talk.opens + talk.failures == 0);
  talk.connection.reset();
  loop.settle();
  CHECK(talk.opens + talk.failures == 0);
}

TEST_CASE("Connection reports a reset in the phase in which it came") {
  TestLoop loop;
  Talk talk(loop);
  SECTION("while TLS begins") {
    FakePeer peer(loop, {expect("\x16"), reset()});
    talk.open(peer.endpoint(), TlsSettings{"localhost", std::nullopt, true});
    REQUIRE(talk.until_over());
    CHECK(talk.phase == Phase::tls);
    CHECK(talk.why == "TLS handshake failed: connection reset by peer");
  }
  SECTION("established") {
    FakePeer peer(loop, {send("half an ans"), expect("x"), reset()});
    talk.open(peer.endpoint());
    REQUIRE(talk.say("x"));
    CHECK(talk.phase == Phase::established);
    CHECK(talk.why == "connection reset by peer");
  }
  CHECK(talk.failures == 1);
  CHECK_FALSE(talk.connection->write("x"));
}

TEST_CASE("Connection may be destroyed inside each of its callbacks") {
  TestLoop loop;
  const bool with_tls = GENERATE(false, true);
  const std::string event = GENERATE("open", "data", "end", "failed");
  CAPTURE(with_tls, event);
  Script script = {send("greeting"), expect("x"), half_close()};
  if (event == "failed") script = {send("greeting"), expect("x"), reset()};
  Peer peer(loop, with_tls, std::move(script));
  Talk talk(loop);
  talk.destroy_in = event;
  talk.open(event == "failed" && with_tls ? peer.plain.endpoint() : peer.endpoint(), peer.settings);
  REQUIRE(loop.until([&] { return talk.data == 1 || talk.connection == nullptr; }));
  if (talk.connection) {
    REQUIRE(talk.connection->write("x"));
  }
  REQUIRE(loop.until([&] { return talk.connection == nullptr; }));
  const int events = talk.opens + talk.data + talk.ends + talk.failures;
  loop.settle();
  CHECK(talk.opens + talk.data + talk.ends + talk.failures == events);
}

TEST_CASE("Connection may be destroyed before its first turn") {
  TestLoop loop;
  FakePeer peer(loop, Script{});
  Talk talk(loop);
  talk.open(Endpoint::tcp(GENERATE("127.0.0.1", "localhost"), peer.port()));
  talk.connection.reset();
  loop.settle();
  CHECK(talk.opens + talk.failures == 0);
}

TEST_CASE("Connection keeps exceptions of its observer away from the loop") {
  TestLoop loop;
  struct Broken final : loop::ConnectionObserver {
    void on_open() override { throw std::runtime_error("broken observer"); }
    void on_data(std::span<const char>) override {}
    void on_end() override {}
    void on_failed(Phase, const std::string&) override {}
  } broken;
  Peer peer(loop, GENERATE(false, true), {});
  loop::Resolver resolver(loop);
  Connection connection(*loop, resolver, peer.endpoint(), peer.settings, broken);
  REQUIRE(loop.until([&] { return !loop.sink.errors.empty(); }));
  CHECK(loop.sink.errors == std::vector<std::string>{"broken observer"});
}

TEST_CASE("Connection ends its side with close_notify and FIN, and still reads") {
  TestLoop loop;
  Peer peer(loop, true, {expect("the end"), send("heard"), half_close()});
  Talk talk(loop);
  talk.open(peer.endpoint(), peer.settings);
  REQUIRE(loop.until([&] { return talk.opens == 1; }));
  REQUIRE(talk.connection->write("the end"));
  talk.connection->shutdown();
  REQUIRE(talk.until_over());
  CHECK(talk.received == "heard");
  CHECK(peer.front->client_said_goodbye());
  CHECK(loop.until([&] { return peer.plain.client(0).ended; }));
}

TEST_CASE("Connection carries a megabyte over TLS both ways") {
  TestLoop loop;
  const std::string payload(1024 * 1024, 'm');
  Peer peer(loop, true, {expect("end"), answer([](const std::string& got) { return got; }), half_close()});
  Talk talk(loop);
  talk.open(peer.endpoint(), peer.settings);
  REQUIRE(talk.say(payload + "end"));
  CHECK((talk.received == payload + "end"));
}

}  // namespace
}  // namespace probegate::test
