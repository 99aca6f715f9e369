// Whom a Connection takes for its peer, and how TLS fails.
#include <catch2/catch.hpp>

#include "connection_rig.h"
#include "stream_pair.h"

namespace probegate::test {
namespace {

using loop::TlsSettings;
using Phase = loop::ConnectionObserver::Phase;

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
  REQUIRE(talk.say("a"));
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
  CHECK_THAT(talk.why, Catch::StartsWith("cannot read the CA certificates in " + file + ": "));
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
