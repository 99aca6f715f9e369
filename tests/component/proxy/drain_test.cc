// The drain: nothing new, everything under way is finished, and the loop ends.
#include <catch2/catch.hpp>

#include "bare_environment.h"
#include "exchange.h"
#include "open_tunnel.h"
#include "proxy/access_log.h"
#include "proxy/auth_client.h"
#include "proxy/backend_pool.h"
#include "proxy/session.h"
#include "support/fake_peer.h"

namespace probegate::test {

using health::Phase;

TEST_CASE("In the lame-duck phase traffic is served, and each answer ends its connection") {
  TestLoop loop;
  LiveBackend backend(loop);
  backend.on_connection = serve;
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient before(loop, proxy.endpoint());
  proxy.publish(draining(Phase::lame_duck));
  loop.run_for(20ms);
  before.send(kGet);
  FakeClient after(loop, proxy.endpoint(), kGet);
  for (FakeClient* client : {&before, &after}) {
    const Answer answer = next_answer(loop, *client);
    CHECK(answer.status == 200);
    CHECK(answer.get("connection") == "close");
    CHECK(loop.until([&] { return client->ended(); }));
  }
  const auto connections = backend.connections();
  FakeClient upgrade(loop, proxy.endpoint(), kUpgrade);
  CHECK(loop.until([&] { return backend.connections() > connections; }));
  CHECK(proxy.ended() == 0);
}

TEST_CASE("A loop without sessions ends at once, and its port refuses") {
  TestLoop loop;
  ProxyFixture proxy(loop, Endpoint::tcp("127.0.0.1", 1));
  FakeClient client(loop, proxy.endpoint());
  client.close();
  proxy.publish(draining(Phase::closing));
  REQUIRE(loop.until([&] { return proxy.ended() == 1; }));
  FakeClient late(loop, proxy.endpoint());
  CHECK(late.lost());
}

TEST_CASE("A request is judged by the gate published last, even where its data loop was not told yet") {
  BareEnvironment bare(Endpoint::tcp("127.0.0.1", 1));
  proxy::AccessLog access(bare.environment);
  bare.environment.access = &access;
  std::unique_ptr<proxy::Session> session;
  const auto socket = loop::ListenSocket::bind(Endpoint::tcp("127.0.0.1", 0));
  REQUIRE(socket);
  loop::Listener listener(*bare.loop, *socket->duplicate(), false, [&](loop::Stream client) {
    session = std::make_unique<proxy::Session>(bare.environment, std::move(client), false);
    session->start();
  });
  FakeClient client(bare.loop, socket->endpoint(), kGet.substr(0, 10));
  REQUIRE(bare.loop.until([&] { return session != nullptr; }));
  bare.published = std::make_shared<proxy::GateView>(draining(Phase::closing));
  client.send(kGet.substr(10));
  CHECK(next_answer(bare.loop, client).get("probegate-reason") == "draining");
}

TEST_CASE("A request that has arrived when the drain begins, and is not read yet, gets its answer") {
  BareEnvironment bare(Endpoint::tcp("127.0.0.1", 1));
  LiveBackend backend(bare.loop);
  backend.on_connection = serve;
  bare.environment.config = BareEnvironment::configuration(backend.endpoint());
  proxy::AccessLog access(bare.environment);
  proxy::BackendPool pool(bare.environment);
  proxy::AuthWorker worker(bare.log);
  proxy::AuthClient auth(bare.environment, worker);
  bare.environment.access = &access;
  bare.environment.backends = &pool;
  bare.environment.auth = &auth;
  std::unique_ptr<proxy::Session> session;
  const auto socket = loop::ListenSocket::bind(Endpoint::tcp("127.0.0.1", 0));
  REQUIRE(socket);
  loop::Listener listener(*bare.loop, *socket->duplicate(), false, [&](loop::Stream client) {
    session = std::make_unique<proxy::Session>(bare.environment, std::move(client), false);
    session->start();
  });
  FakeClient client(bare.loop, socket->endpoint(), kGet);
  CHECK(next_answer(bare.loop, client).status == 200);
  client.send(kGet);
  bare.environment.gate = std::make_shared<proxy::GateView>(draining(Phase::closing));
  session->drain(0s);
  CHECK(next_answer(bare.loop, client).get("probegate-reason") == "draining");
}

TEST_CASE("An idle connection ends with FIN, an answer under way is finished first") {
  VirtualTime time;
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient idle(loop, proxy.endpoint(), kGet);
  Wire& first = backend.await_request();
  first.send(kOk);
  next_answer(loop, idle);
  FakeClient fresh(loop, proxy.endpoint());
  FakeClient waiting(loop, proxy.endpoint(), kGet + kGet);  // pipelined: the second is refused
  REQUIRE(loop.until([&] { return first.received().size() > kGet.size() * 2; }));
  FakeClient reading(loop, proxy.endpoint(), kGet);
  Wire& second = backend.await_request(1);
  second.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhal");
  REQUIRE(loop.until([&] { return reading.received().ends_with("hal"); }));

  proxy.publish(draining(Phase::closing));
  CHECK(loop.until([&] { return idle.ended() && fresh.ended(); }));
  CHECK(idle.received().empty());
  CHECK(fresh.received().empty());
  CHECK(proxy.ended() == 0);
  first.send(kOk);
  second.send("f");
  const Answer last = next_answer(loop, waiting);
  CHECK(last.status == 200);
  CHECK(last.get("connection") == "close");
  CHECK(next_answer(loop, reading).body == "half");
  for (FakeClient* client : {&waiting, &reading}) {
    CHECK(loop.until([&] { return client->ended(); }));
    CHECK(client->received().empty());
  }
  for (FakeClient* client : {&idle, &fresh, &waiting, &reading}) client->close();
  CHECK(loop.until([&] { return proxy.ended() == 1; }, 1s));
}

TEST_CASE("Tunnels are closed one after another over the first half of the budget") {
  TestLoop loop;
  FakePeer backend(loop, {expect("\r\n\r\n"), send(kSwitching)});
  ProxyFixture proxy(loop, backend.endpoint(), [](config::Config& c) {
    c.drain.timeout = 1200ms;
    c.drain.close_code = 1012;
  });
  std::vector<std::unique_ptr<FakeClient>> clients;
  std::vector<Duration> closed;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), kUpgrade));
    REQUIRE(loop.until([&] { return clients.back()->received().ends_with("\r\n\r\n"); }));
    clients.back()->take();
  }
  const auto before = loop->now();
  for (auto& client : clients) {
    client->on_bytes = [&loop, &closed, before] { closed.push_back(loop->now() - before); };
  }
  proxy.publish(draining(Phase::closing));
  REQUIRE(loop.until([&] { return closed.size() == 6; }));
  CHECK(closed.front() < 150ms);
  CHECK(closed.back() >= 450ms);
  CHECK(closed.back() < 900ms);
  CHECK(closed[3] - closed[1] >= 150ms);
  for (auto& client : clients) CHECK(frames_in(client->received()) == std::vector<std::string>{"close 1012"});
}

TEST_CASE("An upgrade that is answered after the drain began becomes a tunnel that is closed") {
  Asked asked(kUpgrade);
  asked.proxy.publish(draining(Phase::closing));
  asked.loop.run_for(20ms);
  asked.server.send(kSwitching);
  REQUIRE(asked.loop.until([&] { return asked.client.received().find("\r\n\r\n") != std::string::npos; }));
  CHECK(asked.loop.until([&] { return asked.client.received().find('\x88') != std::string::npos; }));
}

TEST_CASE("What a request lies in already is no idle connection") {
  TestLoop loop;
  LiveBackend backend(loop);
  backend.on_connection = serve;
  for (int round = 0; round < 10; ++round) {
    ProxyFixture proxy(loop, backend.endpoint());
    FakeClient client(loop, proxy.endpoint(), kGet);
    REQUIRE(next_answer(loop, client).status == 200);
    client.send(kGet);
    proxy.publish(draining(Phase::closing));
    REQUIRE(loop.until([&] { return client.gone(); }));
    INFO(client.received());
    CHECK_FALSE(client.received().empty());
    CHECK_FALSE(client.lost());
  }
}

TEST_CASE("A head that is completed during the drain is answered, one that is not is cut") {
  TestLoop loop;
  ProxyFixture proxy(loop, Endpoint::tcp("127.0.0.1", 1));
  FakeClient completed(loop, proxy.endpoint(), kGet.substr(0, 10)),
      never(loop, proxy.endpoint(), kGet.substr(0, 10));
  loop.run_for(50ms);
  proxy.publish(draining(Phase::closing));
  loop.run_for(20ms);
  completed.send(kGet.substr(10));
  CHECK(next_answer(loop, completed).get("probegate-reason") == "draining");
  completed.close();
  CHECK_FALSE(never.gone());
  CHECK(proxy.ended() == 0);
  proxy.publish(draining(Phase::cutting));
  CHECK(loop.until([&] { return never.gone(); }));
  CHECK(loop.until([&] { return proxy.ended() == 1; }, 1s));
}

TEST_CASE("At the end of the budget no answer looks whole that is not, and who has none yet gets ours") {
  Asked asked;
  asked.server.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwithout a length");
  REQUIRE(asked.loop.until([&] { return asked.client.received().ends_with("length"); }));
  FakeClient waiting(asked.loop, asked.proxy.endpoint(), kGet);
  REQUIRE(asked.loop.until([&] { return asked.backend.connections() == 2; }));
  asked.proxy.publish(draining(Phase::closing));
  asked.proxy.publish(draining(Phase::cutting));
  CHECK(asked.loop.until([&] { return asked.client.lost(); }));
  const Answer answer = next_answer(asked.loop, waiting);
  CHECK(answer.status == 503);
  CHECK(answer.get("probegate-reason") == "draining");
  CHECK(asked.loop.until([&] { return asked.proxy.ended() == 1; }, 1s));
}

TEST_CASE("What is left at the end of the budget is cut") {
  Asked asked;
  FakeClient half(asked.loop, asked.proxy.endpoint(), "GET / HT");
  asked.loop.run_for(20ms);
  asked.proxy.publish(draining(Phase::closing));
  asked.loop.run_for(50ms);
  CHECK(asked.proxy.ended() == 0);
  asked.proxy.publish(draining(Phase::cutting));
  CHECK(asked.loop.until([&] { return asked.proxy.ended() == 1; }, 1s));
}

TEST_CASE("Idle connections to the backend end when the drain begins, and those in use do not") {
  TestLoop loop;
  LiveBackend backend(loop);
  backend.on_connection = [&](Wire& wire) {
    if (backend.connections() == 2) serve(wire);
  };
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient waiting(loop, proxy.endpoint(), kGet);
  Wire& busy = backend.await(0);
  FakeClient served(loop, proxy.endpoint(), kGet);
  CHECK(next_answer(loop, served).status == 200);
  Wire& idle = backend.await(1);
  proxy.publish(draining(Phase::closing));
  CHECK(loop.until([&] { return idle.gone(); }, 2s));  // before its idle time is over
  CHECK_FALSE(busy.gone());
  busy.send(kOk);
  CHECK(next_answer(loop, waiting).status == 200);
}

TEST_CASE("A slow reader gets all of its last answer, and is let go soon after that") {
  TestLoop loop;
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n" + std::string(8000, 'a');
  LiveBackend backend(loop);
  backend.on_connection = [&](Wire& wire) {
    wire.on_bytes = [&] {
      if (wire.take().ends_with("\r\n\r\n")) wire.send(answer);
    };
  };
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint());
  client.stop_reading();
  std::string many;
  for (int i = 0; i < 2000; ++i) many += kGet;
  client.send(many);
  std::uint64_t answers = 0;
  const auto served = [&] { return proxy.metrics().requests.value(200); };
  REQUIRE(loop.until([&] {
    loop.run_for(100ms);
    return served() > 0 && std::exchange(answers, served()) == served();
  }));
  REQUIRE(answers < 2000);
  proxy.publish(draining(Phase::closing));
  loop.run_for(3s);
  client.read_on();
  for (std::uint64_t i = 0; i < answers; ++i) REQUIRE(next_answer(loop, client).body.size() == 8000);
  CHECK(loop.until([&] { return client.ended(); }));
  CHECK(client.received().empty());
  CHECK(loop.until([&] { return proxy.connections() == 0; }, 5s));
}

}  // namespace probegate::test
