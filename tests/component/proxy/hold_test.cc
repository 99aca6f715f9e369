// The hold: requests wait for the gate, in order, bounded in number and time.
#include <catch2/catch.hpp>
#include <set>

#include "exchange.h"
#include "frames.h"
#include "support/fake_peer.h"

namespace probegate::test {
namespace {

ProxyFixture::Tune hold(std::uint64_t max, Duration timeout = 10s, int per_second = 1000) {
  return [max, timeout, per_second](config::Config& c) { c.proxy.hold = {max, timeout, per_second}; };
}

// Answers each request by its path.
void serve_paths(Wire& wire) {
  wire.on_bytes = [&wire] {
    if (wire.received().find("\r\n\r\n") == std::string::npos) return;
    const std::string head = wire.take();
    const std::string path = path_of(head);
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(path.size()) + "\r\n\r\n" + path);
  };
}

}  // namespace

TEST_CASE("Held requests are served in order, at a bounded rate, once the gate opens") {
  TestLoop loop;
  LiveBackend backend(loop);
  std::vector<std::string> order;
  backend.on_connection = serve_and_note(order);
  ProxyFixture proxy(loop, backend.endpoint(), hold(10, 10s, 20), closed_gate());
  std::vector<std::unique_ptr<FakeClient>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), numbered_get(i)));
    REQUIRE(loop.until([&] { return proxy.metrics().held.value() == i + 1; }));
  }
  CHECK(backend.connections() == 0);
  const auto before = loop->now();
  proxy.publish(open_gate());
  REQUIRE(loop.until([&] { return order.size() == 6; }));
  CHECK(order == std::vector<std::string>{"/0", "/1", "/2", "/3", "/4", "/5"});
  CHECK(loop->now() - before >= 245ms);  // five pauses of 50 ms
  for (auto& client : clients) CHECK(next_answer(loop, *client).status == 200);
  CHECK(proxy.metrics().held.value() == 0);
}

TEST_CASE("A client that connects while the backend starts gets 101, with what it sent early") {
  TestLoop loop;
  FakePeer backend(loop, {expect("\r\n\r\n"), send(kSwitching), expect(text(From::client, "early"))});
  ProxyFixture proxy(loop, backend.endpoint(), hold(1), closed_gate());
  FakeClient client(loop, proxy.endpoint(), kUpgrade + text(From::client, "early"));
  REQUIRE(loop.until([&] { return proxy.metrics().held.value() == 1; }));
  proxy.publish(open_gate());
  REQUIRE(loop.until([&] { return client.received().starts_with("HTTP/1.1 101 "); }));
  CHECK(loop.until([&] { return backend.client(0).played; }));
}

TEST_CASE("A held request's body waits in the socket and follows it") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), hold(1), closed_gate());
  const std::string body(20 << 20, 'b');
  FakeClient client(
      loop, proxy.endpoint(),
      "POST / HTTP/1.1\r\nHost: example\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  client.send(body);
  loop.run_for(200ms);
  CHECK_FALSE(client.sent());
  proxy.publish(open_gate());
  Wire& server = backend.await();
  REQUIRE(loop.until([&] { return server.received().size() > body.size() && client.sent(); }, 30s));
  CHECK(server.received().ends_with(body));
  server.send(kOk);
  CHECK(next_answer(loop, client).status == 200);
}

TEST_CASE("The hold is bounded in number and in time, and says who is waited for") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), hold(2, 300ms), closed_gate({"redis"}));
  const auto before = loop->now();
  FakeClient one(loop, proxy.endpoint(), kGet);
  FakeClient two(loop, proxy.endpoint(), kGet);
  REQUIRE(loop.until([&] { return proxy.metrics().held.value() == 2; }));
  FakeClient three(loop, proxy.endpoint(), kGet);
  const Answer full = next_answer(loop, three);
  CHECK(full.status == 503);
  CHECK(full.get("probegate-reason") == "hold_full");
  CHECK(loop->now() - before < 250ms);
  for (FakeClient* client : {&one, &two}) {
    const Answer late = next_answer(loop, *client);
    CHECK(late.status == 503);
    CHECK(late.get("probegate-reason") == "hold_timeout");
    CHECK(late.has("retry-after"));
    CHECK(late.body.find("\"waiting_for\":[\"redis\"]") != std::string::npos);
  }
  CHECK(loop->now() - before >= 300ms);
  CHECK(loop.until([&] { return proxy.metrics().held.value() == 0; }));
}

TEST_CASE("A client that leaves frees its place") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), hold(1), closed_gate());
  const bool with_body = GENERATE(false, true);
  const bool by_reset = GENERATE(false, true);
  const std::string request =
      with_body ? "POST / HTTP/1.1\r\nHost: example\r\nContent-Length: 5\r\n\r\nhello" : kGet;
  FakeClient one(loop, proxy.endpoint(), request);
  REQUIRE(loop.until([&] { return proxy.metrics().held.value() == 1; }));
  if (by_reset) {
    one.reset();
  } else {
    one.close();
  }
  REQUIRE(loop.until([&] { return proxy.metrics().held.value() == 0; }));
  FakeClient two(loop, proxy.endpoint(), kGet);
  REQUIRE(loop.until([&] { return proxy.metrics().held.value() == 1; }));
  proxy.publish(open_gate());
  Wire& server = backend.await_request();
  server.send(kOk);
  CHECK(next_answer(loop, two).status == 200);
  CHECK(backend.connections() == 1);
}

TEST_CASE("A client that leaves behind a body that waits in the socket frees its place too") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), hold(1, 60s), closed_gate());
  const bool by_reset = GENERATE(false, true);
  FakeClient client(loop, proxy.endpoint(),
                    "POST / HTTP/1.1\r\nHost: example\r\nContent-Length: 100000\r\n\r\n");
  REQUIRE(loop.until([&] { return proxy.metrics().held.value() == 1; }));
  client.send(std::string(70'000, 'b'));
  REQUIRE(loop.until([&] { return client.sent(); }));
  loop.run_for(20ms);
  client.send(std::string(20'000, 'b'));
  REQUIRE(loop.until([&] { return client.sent(); }));
  if (by_reset) {
    client.reset();
  } else {
    client.close();
  }
  CHECK(loop.until([&] { return proxy.metrics().held.value() == 0; }, 5s));
}

TEST_CASE("A held request with Expect gets no 100 before its time") {
  VirtualTime time;
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), hold(1), closed_gate());
  FakeClient client(loop, proxy.endpoint(),
                    "POST / HTTP/1.1\r\nHost: example\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  REQUIRE(loop.until([&] { return proxy.metrics().held.value() == 1; }));
  loop.run_for(1300ms);  // longer than a backend is waited for before we say it ourselves
  CHECK(client.received().empty());
  proxy.publish(open_gate());
  Wire& server = backend.await_request();
  server.send("HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(next_answer(loop, client).status == 100);
  client.send("hi");
  REQUIRE(loop.until([&] { return server.received().ends_with("\r\n\r\nhi"); }));
  server.send(kOk);
  CHECK(next_answer(loop, client).status == 200);
}

TEST_CASE("Those for whom the hold has no place are told different times to come back") {
  TestLoop loop;
  ProxyFixture proxy(loop, Endpoint::tcp("127.0.0.1", 1), hold(1), closed_gate());
  FakeClient first(loop, proxy.endpoint(), kGet);
  REQUIRE(loop.until([&] { return proxy.metrics().held.value() == 1; }));
  std::set<std::string> times;
  for (int i = 0; i < 30; ++i) {
    FakeClient client(loop, proxy.endpoint(), kGet);
    const Answer answer = next_answer(loop, client);
    REQUIRE(answer.get("probegate-reason") == "hold_full");
    const int seconds = std::stoi(answer.get("retry-after"));
    CHECK(seconds >= 5);
    CHECK(seconds <= 15);
    times.insert(answer.get("retry-after"));
  }
  CHECK(times.size() > 4);
}

TEST_CASE("A drain refuses everybody who is held") {
  TestLoop loop;
  ProxyFixture proxy(loop, Endpoint::tcp("127.0.0.1", 1), hold(5), closed_gate());
  FakeClient one(loop, proxy.endpoint(), kGet), two(loop, proxy.endpoint(), kGet);
  REQUIRE(loop.until([&] { return proxy.metrics().held.value() == 2; }));
  proxy.publish(draining(health::Phase::closing));
  for (FakeClient* client : {&one, &two}) {
    const Answer answer = next_answer(loop, *client);
    CHECK(answer.status == 503);
    CHECK(answer.get("probegate-reason") == "draining");
    client->close();
  }
  CHECK(loop.until([&] { return proxy.ended() == 1; }));
}

TEST_CASE("Who would be refused anyway is not held") {
  TestLoop loop;
  ProxyFixture proxy(
      loop, Endpoint::tcp("127.0.0.1", 1),
      [](config::Config& c) {
        hold(5)(c);
        c.proxy.websocket_only = true;
      },
      closed_gate());
  FakeClient client(loop, proxy.endpoint(), kGet);
  CHECK(next_answer(loop, client).status == 404);
  CHECK(proxy.metrics().held.value() == 0);
}

TEST_CASE("A gate that closes while it releases keeps the rest waiting") {
  VirtualTime time;
  TestLoop loop;
  LiveBackend backend(loop);
  backend.on_connection = serve_paths;
  ProxyFixture proxy(loop, backend.endpoint(), hold(10, 10s, 5), closed_gate());
  std::vector<std::unique_ptr<FakeClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), numbered_get(i)));
    REQUIRE(loop.until([&] { return proxy.metrics().held.value() == i + 1; }));
  }
  proxy.publish(open_gate());
  CHECK(next_answer(loop, *clients[0]).body == "/0");
  proxy.publish(closed_gate());
  loop.run_for(500ms);
  CHECK(proxy.metrics().held.value() == 2);
  proxy.publish(open_gate());
  CHECK(next_answer(loop, *clients[1]).body == "/1");
  CHECK(next_answer(loop, *clients[2]).body == "/2");
}

TEST_CASE("With a traffic check, a backend that refuses connections closes the gate at once") {
  TestLoop loop;
  const auto port = closed_port();
  auto gate = open_gate();
  gate.traffic_check = "websocket";
  SECTION("and without a hold the request is refused at once") {
    ProxyFixture proxy(
        loop, Endpoint::tcp("127.0.0.1", port), [](config::Config& c) { c.proxy.timeouts.connect = 5s; },
        gate);
    const auto before = loop->now();
    FakeClient client(loop, proxy.endpoint(), kGet);
    const Answer answer = next_answer(loop, client);
    CHECK(answer.get("probegate-reason") == "gate_closed");
    CHECK(answer.body.find("\"waiting_for\":[\"websocket\"]") != std::string::npos);
    CHECK(loop->now() - before < 1s);
    CHECK(proxy.refusals() == 1);
    FakeClient second(loop, proxy.endpoint(), kGet);
    CHECK(next_answer(loop, second).get("probegate-reason") == "gate_closed");
    CHECK(proxy.refusals() == 1);
  }
  SECTION("and with a hold a restart of the backend is a wait, not an error") {
    ProxyFixture proxy(loop, Endpoint::tcp("127.0.0.1", port), hold(5), gate);
    FakeClient client(loop, proxy.endpoint(),
                      "POST / HTTP/1.1\r\nHost: example\r\nContent-Length: 2\r\n\r\nhi");
    REQUIRE(loop.until([&] { return proxy.metrics().held.value() == 1; }));
    CHECK(proxy.refusals() == 1);
    FakePeer backend(
        loop,
        [](std::size_t) {
          return Script{expect("\r\n\r\nhi"), send(kOk)};
        },
        Endpoint::tcp("127.0.0.1", port));
    proxy.publish(gate);
    CHECK(next_answer(loop, client).status == 200);
  }
  SECTION("and a gate that opens and closes does not make the wait longer than hold.timeout") {
    ProxyFixture proxy(loop, Endpoint::tcp("127.0.0.1", port), hold(5, 400ms), gate);
    const auto before = loop->now();
    FakeClient client(loop, proxy.endpoint(), kGet);
    for (int i = 0; i < 20 && client.received().empty(); ++i) {
      loop.run_for(50ms);
      proxy.publish(gate);
    }
    CHECK(next_answer(loop, client).get("probegate-reason") == "hold_timeout");
    CHECK(loop->now() - before < 900ms);
  }
}

}  // namespace probegate::test
