// How an HttpClient tells what went wrong, and how its calls end before their time.
#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>

#include "http_rig.h"
#include "loop/timer.h"
#include "stream_pair.h"

namespace probegate::test {
namespace {

using Kind = loop::HttpFailure::Kind;

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
      {"ftp://user:secret@127.0.0.1/", "neither http nor https"},
      {"no url at all", "not a URL"},
      {"http://", "not a URL"},
      {"file:///etc/passwd", "not a URL"},
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

}  // namespace
}  // namespace probegate::test
