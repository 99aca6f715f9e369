// Whom an HttpClient takes for its peer.
#include <catch2/catch.hpp>

#include "http_rig.h"
#include "support/test_tls.h"

namespace probegate::test {
namespace {

using Kind = loop::HttpFailure::Kind;

TEST_CASE("HttpClient verifies the peer's certificate and says what is wrong with it") {
  const auto c = GENERATE(values<TlsCase>({
      {"right", {{"localhost"}, -2, 5}, "", ""},
      {"right by server_name", {{"auth.internal"}, -2, 5}, "auth.internal", ""},
      {"right by address as server_name", {{"IP:192.0.2.7"}, -2, 5}, "192.0.2.7", ""},
      {"wrong name",
       {{"other.internal"}},
       "",
       "no alternative certificate subject name matches target host name"},
      {"wrong server_name",
       {{"localhost"}},
       "auth.internal",
       "no alternative certificate subject name matches"},
      {"expired", {{"localhost"}, -10, -1}, "", "certificate has expired"},
  }));
  CAPTURE(c.name);
  TestLoop loop;
  Authority ca("https");
  FakePeer peer(loop, [](std::size_t) {
    return Script{expect("\r\n\r\n"), send(ok("1")), expect("\r\n\r\n"), send(ok("2"))};
  });
  TlsFront front(*loop, ca.issue(c.wish), peer.endpoint());
  Http http(loop);
  const std::string authority = "localhost:" + std::to_string(front.port());
  HttpRequest request{.url = "https://" + authority + "/path?q=1"};
  request.tls = loop::TlsSettings{c.server_name, ca.file(), true};
  const auto outcome = http.ask(request);
  if (!c.why.empty()) {
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().kind == Kind::tls);
    CHECK_THAT(outcome.error().message, Catch::Contains(c.why));
    return;
  }
  if (!outcome) FAIL(outcome.error().message);
  CHECK_THAT(peer.client(0).received,
             Catch::StartsWith("GET /path?q=1 HTTP/1.1\r\nHost: " + authority + "\r\n"));
  REQUIRE(outcome->certificate_left);
  CHECK(*outcome->certificate_left > 5 * 24h - 1min);
  CHECK(*outcome->certificate_left <= 5 * 24h);

  // On the kept connection it is known as well.
  const auto again = http.ask(request);
  REQUIRE(again);
  CHECK(again->body == "2");
  CHECK(again->certificate_left.has_value());
  CHECK(front.connections() == 1);
}

TEST_CASE("HttpClient trusts the system's authorities by default, and nobody's where verification is off") {
  TestLoop loop;
  FakePeer peer(loop, Script{expect("\r\n\r\n"), send(ok("x"))});
  TlsFront front(*loop, self_signed({{"localhost"}, -10, -1}), peer.endpoint());
  Http http(loop);
  HttpRequest request{.url = "https://localhost:" + std::to_string(front.port()) + "/"};
  SECTION("the system's, which SSL_CERT_FILE names where it is set") {
    Authority ca("system");
    TlsFront trusted(*loop, ca.issue(), peer.endpoint());
    ::setenv("SSL_CERT_FILE", ca.file().c_str(), 1);
    const auto outcome = http.get("https://localhost:" + std::to_string(trusted.port()) + "/");
    ::unsetenv("SSL_CERT_FILE");
    REQUIRE(outcome);
    CHECK(outcome->body == "x");
  }
  SECTION("not the peer itself") {
    const auto outcome = http.ask(request);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().kind == Kind::tls);
    CHECK_THAT(outcome.error().message, Catch::Contains("self-signed certificate"));
  }
  SECTION("nobody's") {
    request.tls = loop::TlsSettings{"", std::nullopt, false};
    const auto outcome = http.ask(request);
    REQUIRE(outcome);
    CHECK(*outcome->certificate_left < 0s);
  }
}

TEST_CASE("HttpClient does not lend a connection verified one way to a request that asks for another") {
  TestLoop loop;
  FakePeer peer(loop, [](std::size_t) { return Script{expect("\r\n\r\n"), send(ok("x"))}; });
  TlsFront front(*loop, self_signed({{"localhost"}}), peer.endpoint());
  Http http(loop);
  HttpRequest request{.url = "https://localhost:" + std::to_string(front.port()) + "/"};
  request.tls = loop::TlsSettings{"", std::nullopt, false};
  REQUIRE(http.ask(request));
  request.tls.reset();
  CHECK_FALSE(http.ask(request));
}

TEST_CASE("HttpClient does not lend the connection of one peer to another that has the same name to verify") {
  TestLoop loop;
  Authority ca("shared");
  FakePeer first(loop, [](std::size_t) { return Script{expect("\r\n\r\n"), send(ok("first"))}; });
  FakePeer second(loop, [](std::size_t) { return Script{expect("\r\n\r\n"), send(ok("second"))}; });
  TlsFront one(*loop, ca.issue({{"db.internal"}}), first.endpoint());
  TlsFront two(*loop, ca.issue({{"db.internal"}}), second.endpoint(), TLS1_3_VERSION,
               Endpoint::tcp("127.0.0.2", one.port()));
  Http http(loop);
  for (const auto& [host, body] : {std::pair("localhost", "first"), std::pair("127.0.0.2", "second")}) {
    HttpRequest request{.url = std::string("https://") + host + ":" + std::to_string(one.port()) + "/"};
    request.tls = loop::TlsSettings{"db.internal", ca.file(), true};
    const auto outcome = http.ask(request);
    REQUIRE(outcome);
    CHECK(outcome->body == body);
  }
}

TEST_CASE("HttpClient recognises a peer that does not speak TLS") {
  TestLoop loop;
  FakePeer peer(loop,
                {expect("\x16"), send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), close()});
  Http http(loop);
  const auto outcome = http.get(peer.url("https"));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().kind == Kind::tls);
  CHECK(outcome.error().message == "the peer does not speak TLS: it answered in plain text");
}

TEST_CASE("HttpClient destroyed with kept connections closes them") {
  TestLoop loop;
  Authority ca("keep");
  FakePeer peer(loop, Script{expect("\r\n\r\n"), send(ok("x"))});
  TlsFront front(*loop, ca.issue({{"IP:127.0.0.1"}}), peer.endpoint());
  {
    Http http(loop);
    HttpRequest request{.url = "https://127.0.0.1:" + std::to_string(front.port()) + "/"};
    request.tls = loop::TlsSettings{"", ca.file(), true};
    REQUIRE(http.ask(request));
    loop.settle();
    CHECK_FALSE(peer.client(0).ended);
  }
  CHECK(loop.until([&] { return peer.client(0).ended; }));
}

}  // namespace
}  // namespace probegate::test
