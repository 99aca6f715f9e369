#include "loop/connection.h"

#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>

#include "loop/resolver.h"
#include "stream_pair.h"
#include "support/fake_peer.h"
#include "support/test_loop.h"
#include "support/test_tls.h"

namespace probegate::test {
namespace {

using loop::Connection;
using loop::TlsSettings;
using Phase = loop::ConnectionObserver::Phase;

struct Talk final : loop::ConnectionObserver {
  Talk(TestLoop& l) : loop(l), resolver(l) {}

  void open(const Endpoint& endpoint, const std::optional<TlsSettings>& tls = std::nullopt) {
    connection = std::make_unique<Connection>(*loop, resolver, endpoint, tls, *this);
  }
  void on_open() override { note("open", opens); }
  void on_data(std::span<const char> bytes) override {
    received.append(bytes.data(), bytes.size());
    note("data", data);
  }
  void on_end() override { note("end", ends); }
  void on_failed(Phase p, const std::string& w) override {
    phase = p;
    why = w;
    note("failed", failures);
  }
  bool over() const { return failures > 0 || ends > 0; }
  bool until_over() {
    return loop.until([&] { return over(); });
  }

  TestLoop& loop;
  loop::Resolver resolver;
  std::unique_ptr<Connection> connection;
  std::string received, why;
  std::optional<Phase> phase;
  int opens = 0, data = 0, ends = 0, failures = 0;
  std::string destroy_in;  // the event inside which the connection is destroyed

 private:
  void note(const std::string& event, int& counter) {
    ++counter;
    if (event == destroy_in) connection.reset();
  }
};

TlsSettings trusting(const Authority& ca, const std::string& name = "localhost") {
  return {name, ca.file(), true};
}

// A peer in plain text or behind TLS, spoken to in the same words.
struct Peer {
  Peer(TestLoop& loop, bool with_tls, Script script) : plain(loop, std::move(script)), settings() {
    if (!with_tls) return;
    ca.emplace("peer");
    front.emplace(*loop, ca->issue(), plain.endpoint());
    settings = trusting(*ca);
  }
  const Endpoint& endpoint() const { return front ? front->endpoint() : plain.endpoint(); }
  std::optional<Authority> ca;
  FakePeer plain;
  std::optional<TlsFront> front;
  std::optional<TlsSettings> settings;
};

TEST_CASE("Connection carries a conversation, in plain text and over TLS") {
  TestLoop loop;
  Peer peer(loop, GENERATE(false, true), {expect("PING\r\n"), send("+PONG\r\n"), half_close()});
  Talk talk(loop);
  talk.open(peer.endpoint(), peer.settings);
  REQUIRE(loop.until([&] { return talk.opens == 1; }));
  REQUIRE(talk.connection->write("PING\r\n"));
  REQUIRE(talk.until_over());
  CHECK(talk.received == "+PONG\r\n");
  CHECK(talk.failures == 0);
  CHECK(talk.ends == 1);
}

TEST_CASE("Connection works when every byte comes alone") {
  TestLoop loop;
  Peer peer(loop, GENERATE(false, true), {expect("x"), send_bytewise("slowly, but surely"), half_close()});
  Talk talk(loop);
  talk.open(peer.endpoint(), peer.settings);
  REQUIRE(loop.until([&] { return talk.opens == 1; }));
  REQUIRE(talk.connection->write("x"));
  REQUIRE(talk.until_over());
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
  REQUIRE(loop.until([&] { return talk.opens == 1; }));
  REQUIRE(talk.connection->write("hello"));
  REQUIRE(talk.until_over());
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
    REQUIRE(loop.until([&] { return talk.opens == 1; }));
    REQUIRE(talk.connection->write("x"));
    REQUIRE(talk.until_over());
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
  Peer peer(loop, true, {expect("last words"), send("heard"), half_close()});
  Talk talk(loop);
  talk.open(peer.endpoint(), peer.settings);
  REQUIRE(loop.until([&] { return talk.opens == 1; }));
  REQUIRE(talk.connection->write("last words"));
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
  REQUIRE(loop.until([&] { return talk.opens == 1; }));
  REQUIRE(talk.connection->write(payload + "end"));
  REQUIRE(talk.until_over());
  CHECK((talk.received == payload + "end"));
}

struct TlsCase {
  std::string name;
  CertificateWish wish;
  std::string server_name;
  std::string why;  // empty: it opens
};

TEST_CASE("Connection verifies the peer's certificate and says what is wrong with it") {
  const auto c = GENERATE(values<TlsCase>({
      {"right name", {{"db.internal"}}, "db.internal", ""},
      {"wildcard", {{"*.db.internal"}}, "one.db.internal", ""},
      {"address", {{"IP:127.0.0.1"}}, "127.0.0.1", ""},
      {"wrong name",
       {{"other.internal"}},
       "db.internal",
       "hostname mismatch: the peer's certificate is not for db.internal"},
      {"partial wildcard",
       {{"d*.internal"}},
       "db.internal",
       "hostname mismatch: the peer's certificate is not for db.internal"},
      {"wrong address",
       {{"IP:127.0.0.2"}},
       "127.0.0.1",
       "IP address mismatch: the peer's certificate is not for 127.0.0.1"},
      {"expired", {{"db.internal"}, -10, -1}, "db.internal", "certificate has expired"},
      {"not yet valid", {{"db.internal"}, 1, 9}, "db.internal", "certificate is not yet valid"},
  }));
  CAPTURE(c.name);
  TestLoop loop;
  Authority ca("verify");
  FakePeer peer(loop, Script{});
  TlsFront front(*loop, ca.issue(c.wish), peer.endpoint());
  Talk talk(loop);
  talk.open(front.endpoint(), trusting(ca, c.server_name));
  REQUIRE(loop.until([&] { return talk.opens + talk.failures == 1; }));
  CHECK(talk.why == c.why);
  CHECK(talk.opens == (c.why.empty() ? 1 : 0));
  if (!c.why.empty()) CHECK(talk.phase == Phase::tls);
}

TEST_CASE("Connection trusts no authority but the ones it was given") {
  TestLoop loop;
  Authority ca("ours"), other("other");
  FakePeer peer(loop, Script{});
  Talk talk(loop);
  std::optional<TlsFront> front;
  SECTION("another private authority") {
    front.emplace(*loop, other.issue(), peer.endpoint());
    talk.open(front->endpoint(), trusting(ca));
    REQUIRE(talk.until_over());
    CHECK(talk.why == "unable to get local issuer certificate");
  }
  SECTION("a private authority, against the system's") {
    front.emplace(*loop, ca.issue(), peer.endpoint());
    talk.open(front->endpoint(), TlsSettings{"localhost", std::nullopt, true});
    REQUIRE(talk.until_over());
    CHECK(talk.why == "unable to get local issuer certificate");
  }
  SECTION("self-signed") {
    front.emplace(*loop, self_signed(), peer.endpoint());
    talk.open(front->endpoint(), trusting(ca));
    REQUIRE(talk.until_over());
    CHECK(talk.why == "self-signed certificate");
  }
  CHECK(talk.phase == Phase::tls);
  CHECK(talk.opens == 0);
}

TEST_CASE("Connection without verification takes any certificate") {
  TestLoop loop;
  FakePeer peer(loop, Script{});
  TlsFront front(*loop, self_signed({{"else.where"}, -10, -1}), peer.endpoint());
  Talk talk(loop);
  talk.open(front.endpoint(), TlsSettings{"db.internal", std::nullopt, false});
  REQUIRE(loop.until([&] { return talk.opens + talk.failures == 1; }));
  CHECK(talk.why == "");
  CHECK(front.server_name() == "db.internal");
  REQUIRE(talk.connection->certificate_left());
  CHECK(*talk.connection->certificate_left() < -23h);
}

TEST_CASE("Connection sends the name as SNI, but never an address") {
  TestLoop loop;
  Authority ca("sni");
  FakePeer peer(loop, Script{});
  const std::string name = GENERATE("localhost", "127.0.0.1");
  TlsFront front(*loop, ca.issue({{"localhost", "IP:127.0.0.1"}}), peer.endpoint());
  Talk talk(loop);
  talk.open(front.endpoint(), trusting(ca, name));
  REQUIRE(loop.until([&] { return talk.opens == 1; }));
  CHECK(front.server_name() == (name == "localhost" ? "localhost" : ""));
}

TEST_CASE("Connection takes the endpoint's host where no server name is given") {
  TestLoop loop;
  Authority ca("host");
  FakePeer peer(loop, Script{});
  TlsFront front(*loop, ca.issue({{"localhost"}}), peer.endpoint());
  Talk talk(loop);
  const bool right = GENERATE(true, false);
  talk.open(Endpoint::tcp(right ? "localhost" : "127.0.0.1", front.port()), trusting(ca, ""));
  REQUIRE(loop.until([&] { return talk.opens + talk.failures == 1; }));
  CHECK(talk.opens == (right ? 1 : 0));
}

TEST_CASE("Connection knows how long the peer's certificate lasts") {
  TestLoop loop;
  Authority ca("left");
  FakePeer peer(loop, Script{});
  TlsFront front(*loop, ca.issue({{"localhost"}, -2, 5}), peer.endpoint());
  Talk talk(loop);
  talk.open(front.endpoint(), trusting(ca));
  CHECK_FALSE(talk.connection->certificate_left());
  REQUIRE(loop.until([&] { return talk.opens == 1; }));
  const auto left = talk.connection->certificate_left();
  REQUIRE(left);
  CHECK(*left > 5 * 24h - 1min);
  CHECK(*left <= 5 * 24h);
}

TEST_CASE("Connection refuses versions before TLS 1.2") {
  TestLoop loop;
  Authority ca("old");
  FakePeer peer(loop, Script{});
  TlsFront front(*loop, ca.issue(), peer.endpoint(), TLS1_1_VERSION);
  Talk talk(loop);
  talk.open(front.endpoint(), trusting(ca));
  REQUIRE(talk.until_over());
  CHECK(talk.phase == Phase::tls);
  CHECK_THAT(talk.why, Catch::StartsWith("TLS handshake failed: "));
}

TEST_CASE("Connection works with a peer that ends at TLS 1.2") {
  TestLoop loop;
  Authority ca("tls12");
  FakePeer peer(loop, {expect("a"), send("b"), half_close()});
  TlsFront front(*loop, ca.issue(), peer.endpoint(), TLS1_2_VERSION);
  Talk talk(loop);
  talk.open(front.endpoint(), trusting(ca));
  REQUIRE(loop.until([&] { return talk.opens == 1; }));
  REQUIRE(talk.connection->write("a"));
  REQUIRE(talk.until_over());
  CHECK(talk.received == "b");
}

TEST_CASE("Connection recognises a peer that does not speak TLS") {
  TestLoop loop;
  Talk talk(loop);
  SECTION("it answers in plain text") {
    FakePeer peer(loop, {expect("\x16"), send("-ERR unknown command\r\n")});
    talk.open(peer.endpoint(), TlsSettings{"localhost", std::nullopt, true});
    REQUIRE(talk.until_over());
    CHECK(talk.why == "the peer does not speak TLS: it answered in plain text");
  }
  SECTION("it greets before we do") {
    FakePeer peer(loop, {send("220 mail.example ESMTP\r\n")});
    talk.open(peer.endpoint(), TlsSettings{"localhost", std::nullopt, true});
    REQUIRE(talk.until_over());
    CHECK(talk.why == "the peer does not speak TLS: it answered in plain text");
  }
  SECTION("it hangs up") {
    FakePeer peer(loop, {expect("\x16"), close()});
    talk.open(peer.endpoint(), TlsSettings{"localhost", std::nullopt, true});
    REQUIRE(talk.until_over());
    CHECK_THAT(talk.why, Catch::StartsWith("the peer closed the connection during the TLS handshake") ||
                             Catch::Equals("TLS handshake failed: connection reset by peer"));
  }
  SECTION("records of garbage") {
    FakePeer peer(loop, {expect("\x16"), send(std::string("\x16\x03\x03\x00\x05garba", 10))});
    talk.open(peer.endpoint(), TlsSettings{"localhost", std::nullopt, true});
    REQUIRE(talk.until_over());
    CHECK_THAT(talk.why, Catch::StartsWith("TLS handshake failed: "));
  }
  CHECK(talk.phase == Phase::tls);
  CHECK(talk.opens == 0);
}

TEST_CASE("Connection waits for a peer that is silent in the handshake, and may be given up") {
  TestLoop loop;
  FakePeer peer(loop, Script{expect("\x16")});
  Talk talk(loop);
  talk.open(peer.endpoint(), TlsSettings{"localhost", std::nullopt, true});
  REQUIRE(loop.until([&] { return peer.connections() == 1 && peer.client(0).played; }));
  loop.run_for(30ms);
  CHECK(talk.opens + talk.failures == 0);
  talk.connection.reset();
  CHECK(loop.until([&] { return peer.client(0).ended; }));
}

TEST_CASE("Connection names the authority file it cannot use") {
  TestLoop loop;
  FakePeer peer(loop, Script{});
  Talk talk(loop);
  const std::string file = GENERATE("/tmp/probegate-no-such.pem", "/etc/passwd", "/tmp");
  talk.open(peer.endpoint(), TlsSettings{"localhost", file, true});
  REQUIRE(talk.until_over());
  CHECK(talk.phase == Phase::tls);
  CHECK_THAT(talk.why, Catch::StartsWith("cannot read the authorities in " + file + ": "));
}

TEST_CASE("Connection trusts the system's authorities, in a file or a hashed directory") {
  TestLoop loop;
  Authority ca("system");
  FakePeer peer(loop, Script{});
  TlsFront front(*loop, ca.issue(), peer.endpoint());
  const bool as_file = GENERATE(true, false);
  const std::string directory = ca.file() + ".d";
  std::filesystem::create_directory(directory);
  std::filesystem::copy_file(ca.file(), directory + "/" + ca.hash() + ".0");
  ::setenv("SSL_CERT_FILE", as_file ? ca.file().c_str() : "/nowhere.pem", 1);
  ::setenv("SSL_CERT_DIR", as_file ? "/nowhere" : directory.c_str(), 1);
  Talk talk(loop);
  talk.open(front.endpoint(), TlsSettings{"localhost", std::nullopt, true});
  const bool done = loop.until([&] { return talk.opens + talk.failures == 1; });
  ::unsetenv("SSL_CERT_FILE");
  ::unsetenv("SSL_CERT_DIR");
  std::filesystem::remove_all(directory);
  REQUIRE(done);
  CHECK(talk.why == "");
}

TEST_CASE("Connection follows an authority file that was replaced") {
  TestLoop loop;
  FakePeer peer(loop, Script{});
  Authority before("before"), after("after");
  TlsFront front(*loop, after.issue(), peer.endpoint());
  Talk talk(loop);
  talk.open(front.endpoint(), trusting(before));
  REQUIRE(talk.until_over());
  CHECK(talk.failures == 1);

  std::filesystem::copy_file(after.file(), before.file(), std::filesystem::copy_options::overwrite_existing);
  Talk again(loop);
  again.open(front.endpoint(), trusting(before));
  REQUIRE(loop.until([&] { return again.opens + again.failures == 1; }));
  CHECK(again.why == "");
}

}  // namespace
}  // namespace probegate::test
