// Several data loops behind one port: what is promised for the process holds for all of them together.
#include <catch2/catch.hpp>

#include "exchange.h"
#include "frames.h"

namespace probegate::test {
namespace {

std::int64_t held(ProxyFixture& proxy) {
  std::int64_t all = 0;
  for (std::size_t i = 0; i < proxy.loops(); ++i) all += proxy.loop(i).metrics().held.value();
  return all;
}

ProxyFixture::Tune workers(int count, const config::Hold& hold) {
  return [count, hold](config::Config& c) {
    c.proxy.workers = count;
    c.proxy.hold = hold;
  };
}

}  // namespace

TEST_CASE("hold.max, hold.per_second and the order of the hold are those of all loops together") {
  TestLoop loop;
  LiveBackend backend(loop);
  std::vector<std::string> order;
  backend.on_connection = serve_and_note(order);
  ProxyFixture proxy(loop, backend.endpoint(), workers(3, {9, 20s, 20}), closed_gate());
  std::vector<std::unique_ptr<FakeClient>> clients;
  std::vector<std::string> asked;
  for (int i = 0; i < 9; ++i) {
    clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), numbered_get(i)));
    asked.push_back("/" + std::to_string(i));
    REQUIRE(loop.until([&] { return held(proxy) == i + 1; }));
  }
  std::size_t loops_with_some = 0;
  for (std::size_t i = 0; i < proxy.loops(); ++i)
    loops_with_some += proxy.loop(i).metrics().held.value() > 0 ? 1u : 0u;
  CHECK(loops_with_some > 1);
  for (int i = 0; i < 6; ++i) {  // whichever loop it meets
    FakeClient surplus(loop, proxy.endpoint(), kGet);
    CHECK(next_answer(loop, surplus).get("probegate-reason") == "hold_full");
  }
  const auto before = loop->now();
  proxy.publish(open_gate());
  REQUIRE(loop.until([&] { return order.size() == 9; }));
  CHECK(order == asked);
  CHECK(loop->now() - before >= 395ms);  // eight pauses of 50 ms
  for (auto& client : clients) CHECK(next_answer(loop, *client).status == 200);
  CHECK(loop.until([&] { return held(proxy) == 0; }));
}

TEST_CASE("A place in the hold that is free again can be had at any loop") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), workers(3, {1, 20s, 50}), closed_gate());
  for (int i = 0; i < 8; ++i) {
    FakeClient client(loop, proxy.endpoint(), kGet);
    REQUIRE(loop.until([&] { return held(proxy) == 1; }));
    client.close();
    REQUIRE(loop.until([&] { return held(proxy) == 0; }));
  }
}

TEST_CASE("limits.connections is that of all loops together") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(
      loop, backend.endpoint(),
      [](config::Config& c) {
        workers(3, {100, 60s, 100})(c);
        c.proxy.limits.connections = 6;
      },
      closed_gate());
  std::vector<std::unique_ptr<FakeClient>> clients;  // that wait, as idle ones would give way
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), kGet));
    REQUIRE(loop.until([&] { return held(proxy) == i + 1; }));
  }
  for (int i = 0; i < 4; ++i) {
    FakeClient surplus(loop, proxy.endpoint(), kGet);
    CHECK(next_answer(loop, surplus).get("probegate-reason") == "connection_limit");
    REQUIRE(loop.until([&] { return surplus.ended(); }));
  }
  clients.pop_back();
  REQUIRE(loop.until([&] { return held(proxy) == 5; }));
  FakeClient another(loop, proxy.endpoint(), kGet);
  CHECK(loop.until([&] { return held(proxy) == 6; }));
}

TEST_CASE("Connections that stay are spread evenly over the loops") {
  const int count = GENERATE(2, 4);
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), workers(count, {1000, 60s, 1000}), closed_gate());
  constexpr int kClients = 200;
  std::vector<std::unique_ptr<FakeClient>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), kGet));
    REQUIRE(loop.until([&] { return held(proxy) == i + 1; }));
  }
  for (std::size_t i = 0; i < proxy.loops(); ++i) {
    INFO("loop " << i << " of " << count);
    CHECK(proxy.loop(i).metrics().held.value() >= kClients / count / 2);
  }
}

TEST_CASE("All loops together answer what is in the accept queue when the drain closes the port") {
  TestLoop loop;
  LiveBackend backend(loop);
  backend.on_connection = serve;
  for (int round = 0; round < 8; ++round) {
    ProxyFixture proxy(loop, backend.endpoint(), [&](config::Config& c) { c.proxy.workers = 1 + round % 3; });
    const auto address = *loop::Address::literal(proxy.endpoint());
    std::vector<int> clients;
    for (int i = 0; i < 40; ++i) {
      const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      REQUIRE(::connect(client, address.raw(), address.size()) == 0);
      if (i % 2 == 0) {
        REQUIRE(::send(client, kGet.data(), kGet.size(), 0) == static_cast<ssize_t>(kGet.size()));
      }
      clients.push_back(client);
    }
    proxy.publish(draining(health::Phase::closing));
    for (std::size_t i = 0; i < clients.size(); ++i) {
      // An answer for who has asked, FIN for who has not; a reset for nobody.
      std::string answer;
      ssize_t size = 1;
      REQUIRE(loop.until([&] {
        char bytes[4096];
        while ((size = ::recv(clients[i], bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
          answer.append(bytes, static_cast<std::size_t>(size));
        return size == 0 || errno != EAGAIN;
      }));
      INFO("round " << round << ", client " << i << ", received " << answer);
      CHECK(size == 0);
      CHECK(answer.empty() == (i % 2 == 1));
      ::close(clients[i]);
    }
    CHECK(loop.until([&] { return proxy.ended() == proxy.loops(); }));
    // The port is free, whatever is left of the old owner.
    CHECK(loop::ListenSocket::bind(proxy.endpoint()));
  }
}

}  // namespace probegate::test
