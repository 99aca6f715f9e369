// The hop to the backend: kept connections, the one safe retry, and every way it can fail.
#include <catch2/catch.hpp>

#include "exchange.h"
#include "frames.h"
#include "support/fake_peer.h"

namespace probegate::test {

TEST_CASE("A connection to the backend is used again, also for another client") {
  TestLoop loop;
  FakePeer backend(
      loop, {expect("\r\n\r\n"), send(kOk), expect("\r\n\r\n"), send(kOk), expect("\r\n\r\n"), send(kOk)});
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient one(loop, proxy.endpoint(), kGet);
  next_answer(loop, one);
  one.send(kGet);
  next_answer(loop, one);
  FakeClient two(loop, proxy.endpoint(), kGet);
  next_answer(loop, two);
  CHECK(backend.connections() == 1);
}

TEST_CASE("A kept connection is left alone when it has served its time or said too much") {
  VirtualTime time;
  struct Row {
    std::string name, answer;
    Duration wait;
    bool reused;
  };
  const std::vector<Row> rows = {
      {"Keep-Alive: timeout=2 leaves a second of margin",
       "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2, max=9\r\nContent-Length: 2\r\n\r\nok", 1200ms, false},
      {"Keep-Alive: timeout=1 leaves nothing",
       "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok", 0ms, false},
      {"Keep-Alive: timeout=0, whatever the case of it",
       "HTTP/1.1 200 OK\r\nKeep-Alive: Timeout=0\r\nContent-Length: 2\r\n\r\nok", 0ms, false},
      {"Connection: close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 0ms,
       false},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 0ms, false},
      {"bytes behind the answer", kOk + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", 0ms, false},
      {"a second is fine", kOk, 1000ms, true},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) {
      TestLoop loop;
      FakePeer backend(loop, {expect("\r\n\r\n"), send(row.answer), expect("\r\n\r\n"), send(kOk)});
      ProxyFixture proxy(loop, backend.endpoint());
      FakeClient client(loop, proxy.endpoint(), kGet);
      CHECK(next_answer(loop, client).body == "ok");
      if (row.wait > 0ms) loop.run_for(row.wait);
      client.send(kGet);
      CHECK(next_answer(loop, client).body == "ok");
      CHECK(backend.connections() == (row.reused ? 1u : 2u));
    }
  }
}

TEST_CASE("Bytes that an idle connection sends unasked never become an answer") {
  Asked asked;
  asked.server.send(kOk);
  next_answer(asked.loop, asked.client);
  asked.server.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  REQUIRE(asked.loop.until([&] { return asked.server.gone(); }));
  asked.client.send(kGet);
  Wire& second = asked.backend.await_request(1);
  second.send(kOk);
  CHECK(next_answer(asked.loop, asked.client).body == "ok");
}

TEST_CASE("A request on a kept connection that dies is sent again only if that is safe, and only once") {
  struct Row {
    std::string name, request;
    bool repeated;
  };
  const std::string tail = " / HTTP/1.1\r\nHost: example\r\n";
  const std::vector<Row> rows = {
      {"GET", "GET" + tail + "\r\n", true},
      {"HEAD", "HEAD" + tail + "\r\n", true},
      {"OPTIONS", "OPTIONS" + tail + "\r\n", true},
      {"POST", "POST" + tail + "Content-Length: 0\r\n\r\n", false},
      {"PUT", "PUT" + tail + "Content-Length: 2\r\n\r\nhi", false},
      {"DELETE", "DELETE" + tail + "\r\n", false},
      {"GET with a body, which is gone", "GET" + tail + "Content-Length: 2\r\n\r\nhi", false},
  };
  const bool by_reset = GENERATE(false, true);
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name << (by_reset ? ", RST" : ", FIN")) {
      TestLoop loop;
      // The first connection serves one request and dies on its second; each later one dies at once, the
      // third serves.
      const bool second_dies = GENERATE(false, true);
      FakePeer backend(loop, [&](std::size_t number) -> Script {
        const Step end = by_reset ? reset() : close();
        if (number == 0) return {expect("\r\n\r\n"), send(kOk), expect("\r\n\r\n"), end};
        if (number == 1 && second_dies) return {expect("\r\n\r\n"), end};
        return {expect("\r\n\r\n"), send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")};
      });
      ProxyFixture proxy(loop, backend.endpoint());
      FakeClient client(loop, proxy.endpoint(), kGet);
      CHECK(next_answer(loop, client).status == 200);
      client.send(row.request);
      const Answer answer = next_answer(loop, client, row.request.starts_with("HEAD"));
      CHECK(answer.status == (row.repeated && !second_dies ? 200 : 502));
      if (answer.status == 502) CHECK(answer.get("probegate-reason") == "backend_error");
      loop.settle();
      CHECK(backend.connections() == (row.repeated ? 2u : 1u));
    }
  }
}

TEST_CASE("An answer that has begun is never asked for again") {
  TestLoop loop;
  FakePeer backend(loop, {expect("\r\n\r\n"), send(kOk), expect("\r\n\r\n"), send("HTTP/1.1 2"), close()});
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint(), kGet);
  next_answer(loop, client);
  client.send(kGet);
  CHECK(next_answer(loop, client).status == 502);
  CHECK(backend.connections() == 1);
}

TEST_CASE("A backend that fails is answered for, in bounded time and by its own fault") {
  struct Row {
    std::string name;
    Script script;
    int status;
    std::string reason;
  };
  const std::vector<Row> rows = {
      {"garbage", {expect("\r\n\r\n"), send("SSH-2.0-OpenSSH_9.2\r\n")}, 502, "backend_error"},
      {"a bad head",
       {expect("\r\n\r\n"), send("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")},
       502,
       "backend_error"},
      {"two lengths",
       {expect("\r\n\r\n"), send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")},
       502,
       "backend_error"},
      {"HTTP/2", {expect("\r\n\r\n"), send("HTTP/2.0 200 OK\r\n\r\n")}, 502, "backend_error"},
      {"a 101 nobody asked for", {expect("\r\n\r\n"), send(kSwitching)}, 502, "backend_error"},
      {"FIN instead of an answer", {expect("\r\n\r\n"), close()}, 502, "backend_error"},
      {"RST instead of an answer", {expect("\r\n\r\n"), reset()}, 502, "backend_error"},
      {"silence", {expect("\r\n\r\n")}, 504, "backend_timeout"},
      {"silence after half a head",
       {expect("\r\n\r\n"), send("HTTP/1.1 200 OK\r\nX: ")},
       504,
       "backend_timeout"},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) {
      TestLoop loop;
      FakePeer backend(loop, row.script);
      ProxyFixture proxy(loop, backend.endpoint(),
                         [](config::Config& c) { c.proxy.timeouts.response = 200ms; });
      FakeClient client(loop, proxy.endpoint(), kGet);
      const Answer answer = next_answer(loop, client);
      CHECK(answer.status == row.status);
      CHECK(answer.get("probegate-reason") == row.reason);
      CHECK_FALSE(answer.has("retry-after"));
      CHECK(loop.until([&] { return client.ended(); }));
      const bool alive =
          row.script.back().kind != Step::Kind::close && row.script.back().kind != Step::Kind::reset;
      if (alive) CHECK(loop.until([&] { return backend.client(0).ended || backend.client(0).lost; }));
    }
  }
}

TEST_CASE("A backend that nobody can connect to is tried until timeouts.connect is over") {
  TestLoop loop;
  const auto before = loop->now();
  SECTION("refused") {
    ProxyFixture proxy(loop, Endpoint::tcp("127.0.0.1", closed_port()));
    FakeClient client(loop, proxy.endpoint(), kGet);
    const Answer answer = next_answer(loop, client);
    CHECK(answer.status == 502);
    CHECK(answer.get("probegate-reason") == "backend_unreachable");
    CHECK(loop->now() - before >= 400ms);
    CHECK(loop->now() - before < 1500ms);
    CHECK(proxy.refusals() == 0);
  }
  SECTION("no socket file") {
    ProxyFixture proxy(loop, Endpoint::unix_socket("/tmp/probegate-nobody-listens-here.sock"));
    FakeClient client(loop, proxy.endpoint(), kGet);
    CHECK(next_answer(loop, client).get("probegate-reason") == "backend_unreachable");
  }
  SECTION("a black hole") {
    BlackHole hole;
    ProxyFixture proxy(loop, hole.endpoint());
    FakeClient client(loop, proxy.endpoint(), kGet);
    const Answer answer = next_answer(loop, client);
    CHECK(answer.status == 504);
    CHECK(answer.get("probegate-reason") == "backend_timeout");
    CHECK(loop->now() - before < 1500ms);
  }
  SECTION("a name that does not resolve") {
    ProxyFixture proxy(loop, Endpoint::tcp("nobody.invalid", 80));
    FakeClient client(loop, proxy.endpoint(), kGet);
    CHECK(next_answer(loop, client).status >= 502);
  }
}

TEST_CASE("A backend that appears within timeouts.connect serves, whatever the method") {
  TestLoop loop;
  const auto port = closed_port();
  ProxyFixture proxy(loop, Endpoint::tcp("127.0.0.1", port),
                     [](config::Config& c) { c.proxy.timeouts.connect = 5s; });
  FakeClient client(loop, proxy.endpoint(),
                    "POST / HTTP/1.1\r\nHost: example\r\nContent-Length: 2\r\n\r\nhi");
  loop.run_for(100ms);
  CHECK(client.received().empty());
  FakePeer backend(
      loop,
      [](std::size_t) {
        return Script{expect("hi"), send(kOk)};
      },
      Endpoint::tcp("127.0.0.1", port));
  CHECK(next_answer(loop, client).status == 200);
}

TEST_CASE("A backend given by name is found") {
  TestLoop loop;
  FakePeer backend(loop, {expect("\r\n\r\n"), send(kOk)});
  ProxyFixture proxy(loop, Endpoint::tcp("localhost", backend.port()),
                     [](config::Config& c) { c.proxy.timeouts.connect = 5s; });
  FakeClient client(loop, proxy.endpoint(), kGet);
  CHECK(next_answer(loop, client).status == 200);
}

TEST_CASE("A connection on which half a body is missing is not used again") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint(),
                    "POST / HTTP/1.1\r\nHost: example\r\nContent-Length: 10\r\n\r\nhalf");
  Wire& server = backend.await();
  REQUIRE(loop.until([&] { return server.received().ends_with("half"); }));
  server.send(kOk);
  CHECK(next_answer(loop, client).status == 200);
  CHECK(loop.until([&] { return server.gone(); }, 2s));  // before its idle time is over
}

}  // namespace probegate::test
