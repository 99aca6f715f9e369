#include "loop/http_client.h"

#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>

#include "loop/resolver.h"
#include "loop/timer.h"
#include "stream_pair.h"
#include "support/fake_peer.h"
#include "support/test_loop.h"
#include "support/test_tls.h"

namespace probegate::test {
namespace {

using loop::HttpClient;
using loop::HttpRequest;
using Kind = loop::HttpFailure::Kind;

std::string ok(const std::string& body, const std::string& headers = "") {
  return "HTTP/1.1 200 OK\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

// One client and the last outcome of its calls.
struct Http {
  explicit Http(TestLoop& l) : loop(l), resolver(l), client(l, resolver) {}

  void start(HttpRequest request) {
    outcome.reset();
    call = client.start(std::move(request), [this](HttpClient::Outcome o) {
      ++outcomes;
      outcome = std::move(o);
    });
  }
  HttpClient::Outcome ask(HttpRequest request) {
    start(std::move(request));
    if (!loop.until([&] { return outcome.has_value(); })) throw std::runtime_error("no outcome at all");
    return *outcome;
  }
  HttpClient::Outcome get(const std::string& url) { return ask({.url = url}); }

  TestLoop& loop;
  loop::Resolver resolver;
  HttpClient client;
  std::unique_ptr<HttpClient::Call> call;
  std::optional<HttpClient::Outcome> outcome;
  int outcomes = 0;
};

TEST_CASE("HttpClient asks and gives status, headers in order, and body") {
  TestLoop loop;
  FakePeer peer(loop,
                {expect("\r\n\r\n"), send("HTTP/1.1 503 Service Unavailable\r\nX-One: 1\r\nX-Two:  2 \r\n"
                                          "X-One: 3\r\nContent-Length: 4\r\n\r\nbusy")});
  Http http(loop);
  const auto outcome = http.get(peer.url("http", "/health?full=1"));
  REQUIRE(outcome);
  CHECK(outcome->status == 503);
  CHECK(outcome->body == "busy");
  CHECK_FALSE(outcome->truncated);
  CHECK_FALSE(outcome->certificate_left);
  using Headers = std::vector<std::pair<std::string, std::string>>;
  CHECK(outcome->headers == Headers{{"X-One", "1"}, {"X-Two", "2"}, {"X-One", "3"}, {"Content-Length", "4"}});
  const std::string& head = peer.client(0).received;
  CHECK_THAT(head, Catch::StartsWith("GET /health?full=1 HTTP/1.1\r\nHost: " + peer.endpoint().to_string() +
                                     "\r\n"));
  CHECK_THAT(head, Catch::Contains("User-Agent: probegate\r\n"));
  CHECK_THAT(head, !Catch::Contains("Expect:") && !Catch::Contains("Content-Type:"));
}

TEST_CASE("HttpClient sends method, headers and body as asked") {
  TestLoop loop;
  FakePeer peer(loop, {expect("the body"), send(ok("x"))});
  Http http(loop);
  HttpRequest request{.method = "PUT", .url = peer.url("http", "/thing")};
  request.headers = {{"Authorization", "Bearer t0ken"}, {"X-Empty", ""}, {"Host", "other.example"}};
  request.body = "the body";
  REQUIRE(http.ask(request));
  const std::string& got = peer.client(0).received;
  CHECK_THAT(got, Catch::StartsWith("PUT /thing HTTP/1.1\r\nHost: other.example\r\n"));
  CHECK_THAT(got, Catch::Contains("Authorization: Bearer t0ken\r\n") && Catch::Contains("X-Empty:\r\n") &&
                      Catch::Contains("Content-Length: 8\r\n") && Catch::EndsWith("\r\n\r\nthe body"));
  CHECK_THAT(got, !Catch::Contains("Expect:") && !Catch::Contains("urlencoded"));
}

TEST_CASE("HttpClient takes HEAD, 204 and chunked answers for what they are") {
  TestLoop loop;
  Http http(loop);
  SECTION("HEAD has no body whatever its length says") {
    FakePeer peer(loop, {expect("\r\n\r\n"), send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")});
    const auto outcome = http.ask({.method = "HEAD", .url = peer.url("http")});
    REQUIRE(outcome);
    CHECK(outcome->body.empty());
    CHECK_THAT(peer.client(0).received, Catch::StartsWith("HEAD / HTTP/1.1"));
  }
  SECTION("204") {
    FakePeer peer(loop, {expect("\r\n\r\n"), send("HTTP/1.1 204 No Content\r\n\r\n")});
    const auto outcome = http.get(peer.url("http"));
    REQUIRE(outcome);
    CHECK(outcome->status == 204);
  }
  SECTION("chunked, byte by byte, after a 103, with a trailer") {
    FakePeer peer(loop,
                  {expect("\r\n\r\n"), send_bytewise("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
                                                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                                     "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: 1\r\n\r\n")});
    const auto outcome = http.get(peer.url("http"));
    REQUIRE(outcome);
    CHECK(outcome->status == 200);
    CHECK(outcome->body == "abcde");
    CHECK(outcome->headers.front().first == "Transfer-Encoding");
  }
  SECTION("HTTP/1.0, ended by the connection") {
    FakePeer peer(loop, {expect("\r\n\r\n"), send("HTTP/1.0 200 OK\r\n\r\nuntil the end"), close()});
    const auto outcome = http.get(peer.url("http"));
    REQUIRE(outcome);
    CHECK(outcome->body == "until the end");
  }
  SECTION("a redirect is an answer, not an order") {
    FakePeer peer(loop,
                  {expect("\r\n\r\n"),
                   send("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")});
    const auto outcome = http.get(peer.url("http"));
    REQUIRE(outcome);
    CHECK(outcome->status == 302);
  }
}

TEST_CASE("HttpClient speaks over a unix socket") {
  TestLoop loop;
  FakePeer peer(
      loop,
      [](std::size_t) {
        return Script{expect("\r\n\r\n"), send(ok("unix"))};
      },
      any_unix("http"));
  Http http(loop);
  HttpRequest request{.url = "http://backend/health"};
  request.unix_path = peer.endpoint().path;
  const auto outcome = http.ask(request);
  REQUIRE(outcome);
  CHECK(outcome->body == "unix");
  CHECK_THAT(peer.client(0).received, Catch::Contains("Host: backend\r\n"));
}

TEST_CASE("HttpClient resolves names by our resolver and tries all their addresses") {
  TestLoop loop;
  FakePeer peer(loop, {expect("\r\n\r\n"), send(ok("found"))});  // on IPv4 only
  Http http(loop);
  const std::string name = GENERATE("localhost", "LocalHost");
  const auto outcome = http.get("http://" + name + ":" + std::to_string(peer.port()) + "/");
  CAPTURE(name);
  if (!outcome) FAIL(outcome.error().message);
  CHECK(outcome->body == "found");
}

TEST_CASE("HttpClient sends the URL's user and password as Basic") {
  TestLoop loop;
  FakePeer peer(loop, {expect("\r\n\r\n"), send(ok(""))});
  Http http(loop);
  REQUIRE(http.get("http://user:pa%40ss@127.0.0.1:" + std::to_string(peer.port()) + "/"));
  CHECK_THAT(peer.client(0).received,
             Catch::Contains("Authorization: Basic dXNlcjpwYUBzcw==\r\n"));  // user:pa@ss
}

TEST_CASE("HttpClient reuses its connection and opens a new one when the peer closed it") {
  TestLoop loop;
  const bool closes = GENERATE(false, true);
  FakePeer peer(loop, [&](std::size_t) {
    Script script = {expect("\r\n\r\n"), send(ok("1"))};
    if (closes) return Script{expect("\r\n\r\n"), send(ok("1")), close()};
    return Script{expect("\r\n\r\n"), send(ok("1")), expect("\r\n\r\n"), send(ok("2"))};
  });
  Http http(loop);
  REQUIRE(http.get(peer.url("http")));
  loop.settle();
  REQUIRE(http.get(peer.url("http")));
  CHECK(peer.connections() == (closes ? 2u : 1u));
}

TEST_CASE("HttpClient cuts a body at its limit, and says so") {
  TestLoop loop;
  FakePeer peer(loop, [](std::size_t) {
    return Script{expect("\r\n\r\n"), send(ok(std::string(200'000, 'x')))};
  });
  Http http(loop);
  HttpRequest request{.url = peer.url("http")};
  request.max_body = GENERATE(0, 1, 1000, 65'536, 199'999);
  const auto outcome = http.ask(request);
  REQUIRE(outcome);
  CHECK(outcome->status == 200);
  CHECK(outcome->truncated);
  CHECK(outcome->body.size() == request.max_body);
}

TEST_CASE("HttpClient takes a body of exactly the limit whole") {
  TestLoop loop;
  FakePeer peer(loop, {expect("\r\n\r\n"), send(ok("12345"))});
  Http http(loop);
  HttpRequest request{.url = peer.url("http")};
  request.max_body = 5;
  const auto outcome = http.ask(request);
  REQUIRE(outcome);
  CHECK(outcome->body == "12345");
  CHECK_FALSE(outcome->truncated);
}

struct Misbehaviour {
  std::string name;
  Script script;
  Kind kind;
  std::string message;
};

TEST_CASE("HttpClient says what the peer did wrong") {
  std::string endless_head = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 2000; ++i)
    endless_head += "X-Header-" + std::to_string(i) + ": " + std::string(60, 'x') + "\r\n";
  const Misbehaviour cases[] = {
      {"hangs up",
       {expect("\r\n\r\n"), close()},
       Kind::protocol,
       "the peer closed the connection without an answer"},
      {"resets", {expect("\r\n\r\n"), reset()}, Kind::connect, "connection reset by peer"},
      {"cuts the head",
       {expect("\r\n\r\n"), send("HTTP/1.1 200 OK\r\nContent-Le"), close()},
       Kind::protocol,
       "the peer closed the connection in the middle of its answer"},
      {"cuts the body",
       {expect("\r\n\r\n"), send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), close()},
       Kind::protocol,
       "the peer closed the connection in the middle of its answer"},
      {"cuts the head",
       {expect("\r\n\r\n"), send("HTTP/1.1 200 OK\r\nX-Half: "), close()},
       Kind::protocol,
       "the peer closed the connection in the middle of its answer"},
      {"ends after an interim answer",
       {expect("\r\n\r\n"), send("HTTP/1.1 103 Early Hints\r\n\r\n"), close()},
       Kind::protocol,
       ""},
      {"talks something else",
       {expect("\r\n\r\n"), send("-ERR unknown command\r\n"), close()},
       Kind::protocol,
       "the peer does not speak HTTP: its answer has no status line"},
      {"endless head",
       {expect("\r\n\r\n"), send(endless_head)},
       Kind::protocol,
       "the head of the answer is larger than 64 KiB"},
      {"bad chunk",
       {expect("\r\n\r\n"), send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")},
       Kind::protocol,
       ""},
  };
  for (const auto& c : cases) {
    DYNAMIC_SECTION(c.name) {
      TestLoop loop;
      FakePeer peer(loop, c.script);
      Http http(loop);
      const auto outcome = http.get(peer.url("http"));
      REQUIRE_FALSE(outcome);
      CHECK(outcome.error().kind == c.kind);
      if (!c.message.empty())
        CHECK_THAT(outcome.error().message, Catch::Contains(c.message, Catch::CaseSensitive::No));
      CHECK_FALSE(outcome.error().message.empty());
    }
  }
}

TEST_CASE("HttpClient says that nobody listens, and where") {
  TestLoop loop;
  Http http(loop);
  const auto port = std::to_string(closed_port());
  SECTION("TCP") {
    const auto outcome = http.get("http://127.0.0.1:" + port + "/");
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().kind == Kind::connect);
    CHECK(outcome.error().message == "cannot connect to 127.0.0.1:" + port + ": connection refused");
  }
  SECTION("a name") {
    const auto outcome = http.get("http://localhost:" + port + "/");
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().kind == Kind::connect);
    CHECK(outcome.error().message == "cannot connect to localhost:" + port + ": connection refused");
  }
  SECTION("unix") {
    HttpRequest request{.url = "http://backend/"};
    request.unix_path = "/tmp/probegate-nobody.sock";
    const auto outcome = http.ask(request);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().kind == Kind::connect);
    CHECK(outcome.error().message ==
          "cannot connect to unix:/tmp/probegate-nobody.sock: no such file or directory");
  }
}

TEST_CASE("HttpClient refuses what it cannot ask, in a later turn") {
  TestLoop loop;
  Http http(loop);
  const auto [url, message] = GENERATE(table<std::string, std::string>({
      {"ftp://user:secret@127.0.0.1/", "neither http nor https: ftp://***@127.0.0.1/"},
      {"no url at all", "not a URL"},
      {"http://", "not a URL"},
      {"file:///etc/passwd", "neither http nor https: file:///etc/passwd"},
  }));
  http.start({.url = url});
  CHECK_FALSE(http.outcome);
  REQUIRE(loop.until([&] { return http.outcome.has_value(); }));
  REQUIRE_FALSE(*http.outcome);
  CHECK(http.outcome->error().kind == Kind::internal);
  CHECK_THAT(http.outcome->error().message, Catch::StartsWith(message));
}

TEST_CASE("HttpClient lets no header smuggle a second one in") {
  TestLoop loop;
  Http http(loop);
  HttpRequest request{.url = "http://127.0.0.1:1/"};
  request.headers = {{"X-User", "a\r\nX-Admin: 1"}};
  const auto outcome = http.ask(request);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().message == "header X-User contains a line break");
}

TEST_CASE("HttpClient names the name that does not resolve") {
  TestLoop loop;
  Http http(loop);
  const auto outcome = http.get("http://no-such-host.invalid:80/");
  REQUIRE_FALSE(outcome);
  // Without any name server at hand the query is refused, times out, or is answered: each names the name.
  CHECK((outcome.error().kind == Kind::resolve || outcome.error().kind == Kind::timeout));
  CHECK_THAT(outcome.error().message,
             Catch::Contains("no-such-host.invalid") || Catch::Contains("resolving"));
}

TEST_CASE("HttpClient keeps its time limit in every phase, and says which one it was") {
  TestLoop loop;
  Http http(loop);
  const auto limited = [](std::string url, Duration limit) {
    HttpRequest request{.url = std::move(url)};
    request.timeout = limit;
    return request;
  };
  const auto check = [&](const HttpRequest& request, const std::string& message) {
    const TimePoint start = loop->now();
    const auto outcome = http.ask(request);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().kind == Kind::timeout);
    CHECK(outcome.error().message == message);
    CHECK(loop->now() - start >= request.timeout);
    CHECK(loop->now() - start < request.timeout + 500ms);
  };
  SECTION("connect") {
    BlackHole hole;
    check(limited("http://127.0.0.1:" + std::to_string(hole.port()) + "/", 60ms),
          "no answer within 60ms, while connecting");
  }
  SECTION("TLS") {
    FakePeer peer(loop, Script{});
    check(limited(peer.url("https"), 60ms), "no answer within 60ms, while in the TLS handshake");
  }
  SECTION("silence") {
    FakePeer peer(loop, Script{expect("\r\n\r\n")});
    check(limited(peer.url("http"), 60ms), "no answer within 60ms, while waiting for the answer");
  }
  SECTION("half an answer") {
    FakePeer peer(loop,
                  Script{expect("\r\n\r\n"), send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")});
    check(limited(peer.url("http"), 60ms), "no answer within 60ms, while waiting for the answer");
  }
  SECTION("the second answer on a kept connection") {
    FakePeer peer(loop, Script{expect("\r\n\r\n"), send(ok("first"))});
    REQUIRE(http.get(peer.url("http")));
    check(limited(peer.url("http"), 60ms), "no answer within 60ms, while waiting for the answer");
    CHECK(peer.connections() == 1);
  }
}

TEST_CASE("HttpClient's call may be cancelled in every phase; nothing is called back") {
  TestLoop loop;
  Http http(loop);
  const std::string phase = GENERATE("at once", "name", "connect", "tls", "silence", "body", "reported");
  CAPTURE(phase);
  BlackHole hole;
  FakePeer peer(loop, [&](std::size_t) {
    if (phase == "body") {
      return Script{expect("\r\n\r\n"), send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")};
    }
    return phase == "silence" ? Script{expect("\r\n\r\n")} : Script{};
  });
  std::string url = peer.url("http");
  if (phase == "name") url = "http://no-such-host.invalid/";
  if (phase == "connect") url = "http://127.0.0.1:" + std::to_string(hole.port()) + "/";
  if (phase == "tls") url = peer.url("https");
  if (phase == "reported") url = "http://";
  http.start({.url = url});
  if (phase == "silence" || phase == "body") {
    REQUIRE(loop.until([&] { return peer.connections() == 1 && peer.client(0).played; }));
  } else if (phase == "tls") {
    REQUIRE(loop.until([&] { return peer.connections() == 1 && !peer.client(0).received.empty(); }));
  } else if (phase == "connect" || phase == "name") {
    loop.settle(3);
  }
  http.call.reset();
  loop.run_for(20ms);
  CHECK(http.outcomes == 0);
  if (peer.connections() == 1) CHECK(loop.until([&] { return peer.client(0).ended || peer.client(0).lost; }));
}

TEST_CASE("HttpClient's call may be destroyed, and the next one started, inside the callback") {
  TestLoop loop;
  FakePeer peer(loop, [](std::size_t) {
    return Script{expect("\r\n\r\n"), send(ok("1")),      expect("\r\n\r\n"),
                  send(ok("2")),      expect("\r\n\r\n"), send(ok("3"))};
  });
  Http http(loop);
  std::string bodies;
  std::function<void(HttpClient::Outcome)> next = [&](HttpClient::Outcome outcome) {
    bodies += outcome ? outcome->body : outcome.error().message;
    if (bodies.size() < 3) {
      http.call = http.client.start({.url = peer.url("http")}, next);
    } else {
      http.call.reset();
    }
  };
  http.call = http.client.start({.url = peer.url("http")}, next);
  REQUIRE(loop.until([&] { return http.call == nullptr; }));
  CHECK(bodies == "123");
}

TEST_CASE("HttpClient's exceptions of the caller reach the caller's sink, and other calls go on") {
  TestLoop loop;
  FakePeer peer(loop, Script{expect("\r\n\r\n"), send(ok("x"))});
  Http http(loop);
  RecordingSink narrow;
  std::unique_ptr<HttpClient::Call> broken;
  {
    loop::Loop::Scope scope(*loop, &narrow);
    broken = http.client.start({.url = peer.url("http")},
                               [](HttpClient::Outcome) { throw std::runtime_error("mine"); });
  }
  REQUIRE(http.get(peer.url("http")));
  REQUIRE(loop.until([&] { return !narrow.errors.empty(); }));
  CHECK(narrow.errors == std::vector<std::string>{"mine"});
  CHECK(loop.sink.errors.empty());
}

TEST_CASE("HttpClient carries 500 calls at once, cancelled and failed ones among them") {
  TestLoop loop;
  FakePeer peer(loop, [](std::size_t) { return Script{expect("\r\n\r\n"), send_bytewise(ok("many"))}; });
  const auto nobody = closed_port();
  Http http(loop);
  int good = 0, refused = 0, others = 0;
  std::vector<std::unique_ptr<HttpClient::Call>> calls;
  for (int i = 0; i < 500; ++i) {
    HttpRequest request{.url = i % 10 == 3 ? "http://127.0.0.1:" + std::to_string(nobody) + "/"
                                           : peer.url("http")};
    request.timeout = 60s;
    calls.push_back(http.client.start(request, [&](HttpClient::Outcome outcome) {
      if (outcome && outcome->body == "many") {
        ++good;
      } else if (!outcome && outcome.error().kind == Kind::connect) {
        ++refused;
      } else {
        ++others;
      }
    }));
  }
  loop.settle(3);
  for (std::size_t i = 7; i < calls.size(); i += 10) calls[i].reset();  // some have begun
  REQUIRE(loop.until([&] { return good + refused + others == 450; }, 60s));
  CHECK(good == 400);
  CHECK(refused == 50);
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

struct TlsCase {
  std::string name;
  CertificateWish wish;
  std::string server_name;
  std::string why;  // empty: it answers
};

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

TEST_CASE("HttpClient ignores a proxy in the environment") {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ::setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  TestLoop loop;
  FakePeer peer(loop, {expect("\r\n\r\n"), send(ok("direct"))});
  Http http(loop);
  const auto outcome = http.get(peer.url("http"));
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
  REQUIRE(outcome);
  CHECK(outcome->body == "direct");
}

}  // namespace
}  // namespace probegate::test
