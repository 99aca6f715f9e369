// Every refusal is a complete answer, and nothing behind it reaches the backend.
#include "proxy/refusal.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "exchange.h"
#include "frames.h"
#include "support/fake_peer.h"

namespace probegate::test {
namespace {

using metrics::Reason;

struct Row {
  std::string name;
  Reason reason;
  int status;
  std::string request;
  ProxyFixture::Tune tune = {};
  proxy::GateView gate = open_gate();
};

std::string post(const std::string& fields, const std::string& body = "") {
  return "POST / HTTP/1.1\r\nHost: example\r\n" + fields + "\r\n" + body;
}

const std::vector<Row> kRows = [] {
  const auto websocket_only = [](config::Config& c) { c.proxy.websocket_only = true; };
  const auto body_limit = [](config::Config& c) { c.proxy.limits.body_bytes = 10; };
  const auto small_head = [](config::Config& c) { c.proxy.limits.header_bytes = 256; };
  const auto header_timeout = [](config::Config& c) { c.proxy.timeouts.header = 100ms; };
  const auto body_timeout = [](config::Config& c) { c.proxy.timeouts.response = 100ms; };
  const auto origins = [](config::Config& c) { c.proxy.websocket.origins = {"https://app.example"}; };
  const std::string bad_origin =
      std::string(kUpgrade).insert(kUpgrade.size() - 2, "Origin: https://evil.example\r\n");
  return std::vector<Row>{
      {"gate closed", Reason::gate_closed, 503, kGet, {}, closed_gate({"database", "redis"})},
      {"gate closed, upgrade", Reason::gate_closed, 503, kUpgrade, {}, closed_gate()},
      {"gate closed, Expect",
       Reason::gate_closed,
       503,
       post("Expect: 100-continue\r\nContent-Length: 5\r\n"),
       {},
       closed_gate()},
      {"gate closed, before everything but syntax", Reason::gate_closed, 503, bad_origin, origins,
       closed_gate()},
      {"draining", Reason::draining, 503, kGet, {}, draining(health::Phase::lame_duck)},
      {"plain HTTP where only WebSocket is forwarded", Reason::not_found, 404, kGet, websocket_only},
      {"origin", Reason::origin_denied, 403, bad_origin, origins},
      {"origin before handshake", Reason::origin_denied, 403,
       "GET / HTTP/1.1\r\nHost: example\r\nUpgrade: websocket\r\nConnection: upgrade\r\nOrigin: "
       "https://evil\r\n\r\n",
       origins},
      {"handshake", Reason::bad_request, 400,
       "GET / HTTP/1.1\r\nHost: example\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"},
      {"body too large", Reason::body_too_large, 413, post("Content-Length: 11\r\n", "hello world"),
       body_limit},
      {"body too large, announced only", Reason::body_too_large, 413,
       post("Content-Length: 11\r\nExpect: 100-continue\r\n"), body_limit},
      {"not HTTP", Reason::bad_request, 400, "\x16\x03\x01\x02\r\n\r\n"},
      {"no Host", Reason::bad_request, 400, "GET / HTTP/1.1\r\n\r\n"},
      {"syntax before the gate", Reason::bad_request, 400, "GET / HTTP/1.1\r\n\r\n", {}, closed_gate()},
      {"CL and TE", Reason::bad_request, 400,
       post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + kGet)},
      {"unknown transfer coding", Reason::bad_request, 501, post("Transfer-Encoding: gzip, chunked\r\n")},
      {"CONNECT", Reason::bad_request, 501, "CONNECT example:443 HTTP/1.1\r\nHost: example\r\n\r\n"},
      {"TRACE", Reason::bad_request, 405, "TRACE / HTTP/1.1\r\nHost: example\r\n\r\n"},
      {"HTTP/2", Reason::bad_request, 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"HTTP/3.7", Reason::bad_request, 505, "GET / HTTP/3.7\r\nHost: example\r\n\r\n"},
      {"long line", Reason::uri_too_long, 414,
       "GET /" + std::string(300, 'x') + " HTTP/1.1\r\nHost: example\r\n\r\n", small_head},
      {"long head", Reason::header_too_large, 431,
       "GET / HTTP/1.1\r\nHost: example\r\nX: " + std::string(300, 'x') + "\r\n\r\n", small_head},
      {"slow head", Reason::header_timeout, 408, "GET / HTTP/1.1\r\nHost:", header_timeout},
      {"slow body", Reason::bad_request, 408, post("Content-Length: 5\r\n", "he"), body_timeout},
      {"bad chunk", Reason::bad_request, 400, post("Transfer-Encoding: chunked\r\n", "zz\r\n")},
      {"body too large in chunks", Reason::body_too_large, 413,
       post("Transfer-Encoding: chunked\r\n", "6\r\nhello \r\n6\r\nworld!\r\n0\r\n\r\n"), body_limit},
  };
}();

}  // namespace

TEST_CASE("A refusal is complete, says why, and closes") {
  for (const Row& row : kRows) {
    DYNAMIC_SECTION(row.name) {
      TestLoop loop;
      FakePeer backend(loop, Script{});
      auto gate = row.gate;
      if (row.reason == Reason::draining) gate = open_gate();
      ProxyFixture proxy(loop, backend.endpoint(), row.tune, gate);
      FakeClient client(loop, proxy.endpoint());
      if (row.reason == Reason::draining) {
        // Accepted before the drain, complete after it began.
        client.send("GET");
        loop.run_for(20ms);
        proxy.publish(draining(health::Phase::closing));
        loop.run_for(20ms);
        client.send(row.request.substr(3));
      } else {
        client.send(row.request);
      }
      const Answer answer = next_answer(loop, client);
      const std::string reason(metrics::to_string(row.reason));
      CHECK(answer.status == row.status);
      CHECK(answer.get("probegate-reason") == reason);
      CHECK(answer.get("content-type") == "application/problem+json");
      CHECK(answer.get("cache-control") == "no-store");
      CHECK(answer.get("connection").starts_with("close"));
      CHECK(answer.has("retry-after") == (row.status == 503));
      CHECK(answer.get("content-length") == std::to_string(answer.body.size()));

      const auto problem = nlohmann::json::parse(answer.body);
      CHECK(problem["type"] == "about:blank");
      CHECK_FALSE(problem["title"].get<std::string>().empty());
      CHECK(problem["status"] == row.status);
      CHECK_FALSE(problem["detail"].get<std::string>().empty());
      CHECK(problem["reason"] == reason);
      CHECK(problem["waiting_for"] == (row.reason == Reason::gate_closed
                                           ? nlohmann::json(row.gate.waiting_for)
                                           : nlohmann::json::array()));
      CHECK(loop.until([&] { return client.ended(); }));
      CHECK(client.received().empty());
      CHECK(proxy.metrics().refused[row.reason].value() == 1);
      CHECK(proxy.metrics().requests.value(row.status) == 1);
    }
  }
}

TEST_CASE("A body that comes byte by byte does not hold its connection for ever") {
  TestLoop loop;
  FakePeer backend(loop, {expect("\r\n\r\n")});
  ProxyFixture proxy(loop, backend.endpoint(), [](config::Config& c) { c.proxy.timeouts.response = 400ms; });
  FakeClient client(loop, proxy.endpoint(), post("Content-Length: 1000000\r\n"));
  loop::Timer drip(loop, [&] { client.send("x"); });
  drip.start_repeating(20ms);  // each of them well within the time
  const Answer answer = next_answer(loop, client);
  drip.stop();
  CHECK(answer.status == 408);
  CHECK(loop.until([&] { return client.ended(); }));
}

TEST_CASE("A refusal to HEAD has no body") {
  TestLoop loop;
  ProxyFixture proxy(loop, Endpoint::tcp("127.0.0.1", 1), {}, closed_gate());
  FakeClient client(loop, proxy.endpoint(), "HEAD / HTTP/1.1\r\nHost: example\r\n\r\n");
  REQUIRE(loop.until([&] { return client.ended(); }));
  CHECK(client.received().ends_with("\r\n\r\n"));
  const Answer answer = next_answer(loop, client, true);
  CHECK(answer.status == 503);
  CHECK(answer.get("content-length") != "0");
}

TEST_CASE("A refusal to a HEAD that is wrong behind its first line has no body either") {
  const std::string fields =
      GENERATE("\r\n", "Host: a\r\nX : y\r\n\r\n", "Host: a\r\nContent-Length: x\r\n\r\n");
  TestLoop loop;
  ProxyFixture proxy(loop, Endpoint::tcp("127.0.0.1", 1));
  FakeClient client(loop, proxy.endpoint(), "HEAD / HTTP/1.1\r\n" + fields);
  REQUIRE(loop.until([&] { return client.ended(); }));
  CHECK(client.received().ends_with("\r\n\r\n"));
  CHECK(next_answer(loop, client, true).status == 400);
}

TEST_CASE("Retry-After is spread, so that refused clients do not come back together") {
  const auto seconds = [](Reason reason, unsigned random) {
    std::string bytes =
        proxy::write_refusal(proxy::Refusal::of(reason, "x"), {.random = random, .date = "now"});
    return std::stoi(take_answer(bytes)->get("retry-after"));
  };
  struct Spread {
    Reason reason;
    int least, most;
  };
  for (const auto& [reason, least, most] :
       {Spread{Reason::gate_closed, 2, 5}, Spread{Reason::hold_timeout, 2, 5}, Spread{Reason::draining, 1, 3},
        Spread{Reason::connection_limit, 5, 15}, Spread{Reason::hold_full, 5, 15}}) {
    std::set<int> seen;
    for (unsigned random = 0; random < 100; ++random) seen.insert(seconds(reason, random));
    CHECK(*seen.begin() == least);
    CHECK(*seen.rbegin() == most);
    CHECK(seen.size() == static_cast<std::size_t>(most - least + 1));
  }
}

TEST_CASE("Nothing that follows a refused request reaches the backend") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), {}, closed_gate());
  FakeClient client(loop, proxy.endpoint(), kUpgrade + text(From::client, "x") + kGet);
  next_answer(loop, client);
  proxy.publish(open_gate());
  client.send(kGet);
  CHECK(loop.until([&] { return client.ended(); }));
  loop.run_for(50ms);
  CHECK(backend.connections() == 0);
  CHECK(client.received().empty());
}

TEST_CASE("A refusal survives a client that is still sending, and the wait for its end is bounded") {
  TestLoop loop;
  ProxyFixture proxy(
      loop, Endpoint::tcp("127.0.0.1", 1), [](config::Config& c) { c.proxy.timeouts.response = 1s; },
      closed_gate());
  FakeClient client(loop, proxy.endpoint(), post("Content-Length: 9000000\r\n"));
  client.send(std::string(1'000'000, 'x'));
  loop.run_for(50ms);
  client.send(std::string(1'000'000, 'x'));
  const Answer answer = next_answer(loop, client);
  CHECK(answer.status == 503);
  REQUIRE(loop.until([&] { return client.ended(); }));
  CHECK_FALSE(client.lost());
  // It goes on and on: after timeouts.response that is not our problem any more.
  CHECK(loop.until(
      [&] {
        client.send("x");
        return client.lost();
      },
      4s));
}

TEST_CASE(
    "Connections over the limit are answered, and those far over it wait until the silent ones give way") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), [](config::Config& c) { c.proxy.limits.connections = 2; });
  FakeClient one(loop, proxy.endpoint(), kGet);
  backend.await();  // and does not answer
  auto two = std::make_unique<FakeClient>(loop, proxy.endpoint());
  REQUIRE(loop.until([&] { return proxy.connections() == 2; }));
  FakeClient three(loop, proxy.endpoint(), kGet);
  const Answer answer = next_answer(loop, three);
  CHECK(answer.status == 503);
  CHECK(answer.get("probegate-reason") == "connection_limit");
  std::vector<std::unique_ptr<FakeClient>> many;
  for (int i = 0; i < 290; ++i) many.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint()));
  CHECK(loop.until([&] { return proxy.connections() >= 258; }));
  many.back()->send(kGet);
  CHECK(next_answer(loop, *many.back()).status == 503);
  for (const auto& client : many) CHECK_FALSE(client->lost());
  many.clear();
  // There is room again.
  backend.on_connection = serve;
  two->close();
  three.close();
  int status = 0;
  for (int i = 0; i < 100 && status != 200; ++i) {
    FakeClient again(loop, proxy.endpoint(), kGet);
    status = next_answer(loop, again).status;
  }
  CHECK(status == 200);
}

TEST_CASE("A connection that never says a word is closed without one") {
  TestLoop loop;
  ProxyFixture proxy(loop, Endpoint::tcp("127.0.0.1", 1),
                     [](config::Config& c) { c.proxy.timeouts.header = 100ms; });
  FakeClient client(loop, proxy.endpoint());
  CHECK(loop.until([&] { return client.ended(); }, 2s));
  CHECK(client.received().empty());
}

TEST_CASE("A kept connection that is idle for too long is closed without a word") {
  TestLoop loop;
  FakePeer backend(loop, {expect("\r\n\r\n"), send(kOk)});
  ProxyFixture proxy(loop, backend.endpoint(), [](config::Config& c) { c.proxy.timeouts.idle = 150ms; });
  FakeClient client(loop, proxy.endpoint(), kGet);
  CHECK(next_answer(loop, client).status == 200);
  CHECK(loop.until([&] { return client.ended(); }, 2s));
  CHECK(client.received().empty());
}

TEST_CASE("A head on a kept connection has timeouts.header, and not the time of an idle one") {
  TestLoop loop;
  FakePeer backend(loop, {expect("\r\n\r\n"), send(kOk)});
  ProxyFixture proxy(loop, backend.endpoint(), [](config::Config& c) { c.proxy.timeouts.header = 200ms; });
  FakeClient client(loop, proxy.endpoint(), kGet);
  CHECK(next_answer(loop, client).status == 200);
  loop.run_for(300ms);
  CHECK_FALSE(client.ended());
  client.send("GET / HT");
  CHECK(next_answer(loop, client, false, 3s).get("probegate-reason") == "header_timeout");
}

}  // namespace probegate::test
