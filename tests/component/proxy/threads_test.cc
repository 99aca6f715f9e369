// Several data loops, and what crosses their threads: views, configurations, beats, metrics. Meant for
// ThreadSanitizer.
#include <catch2/catch.hpp>

#include "auth_rig.h"

namespace probegate::test {

TEST_CASE("Views, configurations and beats arrive while traffic flows on several loops") {
  TestLoop loop;
  LiveBackend backend(loop);
  backend.on_connection = serve;
  ProxyFixture proxy(loop, backend.endpoint(), [](config::Config& c) {
    c.proxy.workers = 3;
    c.proxy.hold = {1000, 10s, 10'000};
  });
  std::vector<std::unique_ptr<FakeClient>> clients;
  for (int i = 0; i < 12; ++i) clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint()));
  constexpr int kRounds = 60;
  for (int round = 1; round <= kRounds; ++round) {
    for (auto& client : clients) client->send(kGet);
    proxy.publish(round % 3 == 0 ? closed_gate({"round " + std::to_string(round)}) : open_gate());
    proxy.publish([&](config::Config& c) { c.proxy.timeouts.idle = std::chrono::seconds(100 + round); });
    for (std::size_t i = 0; i < proxy.loops(); ++i) {
      proxy.loop(i).beat(static_cast<std::uint64_t>(round), loop->now());
      std::uint64_t seen = proxy.loop(i).metrics().requests.value(200);
      CHECK(seen <= static_cast<std::uint64_t>(kRounds) * clients.size());
    }
    if (round % 3 == 0) proxy.publish(open_gate());
    for (auto& client : clients) REQUIRE(next_answer(loop, *client, false, 30s).status == 200);
  }
  std::uint64_t served = 0;
  for (std::size_t i = 0; i < proxy.loops(); ++i) {
    REQUIRE(loop.until([&] { return proxy.loop(i).answered() == kRounds; }));
    CHECK(proxy.loop(i).lag() < 5s);
    served += proxy.loop(i).metrics().requests.value(200);
  }
  CHECK(served == kRounds * clients.size());
}

TEST_CASE("All loops drain with tunnels open on each") {
  TestLoop loop;
  LiveBackend backend(loop);
  backend.on_connection = accept_upgrade;
  ProxyFixture proxy(loop, backend.endpoint(), [](config::Config& c) {
    c.proxy.workers = 3;
    c.drain.timeout = 200ms;
  });
  std::vector<std::unique_ptr<FakeClient>> clients;
  for (int i = 0; i < 30; ++i) {
    clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), kUpgrade));
    REQUIRE(loop.until([&] { return clients.back()->received().ends_with("\r\n\r\n"); }));
    clients.back()->take();
  }
  proxy.publish(draining(health::Phase::closing));
  for (auto& client : clients) {
    REQUIRE(
        loop.until([&] { return frames_in(client->received()) == std::vector<std::string>{"close 1001"}; }));
    client->close();
  }
  for (std::size_t i = 0; i < clients.size(); ++i) backend.wire(i).close();
  CHECK(loop.until([&] { return proxy.ended() == 3; }));
}

TEST_CASE(
    "Questions, verdicts and withdrawals cross between three data loops, the auth loop and one breaker") {
  AuthRig rig([](config::Config& c) {
    c.proxy.workers = 3;
    c.auth->breaker_failures = 3;
    c.auth->breaker_recovery = 5ms;
    c.auth->timeout = 200ms;
  });
  rig.backend.on_connection = accept_upgrade;
  // In turn: let in, denied, broken, reset, and now and then silence.
  int questions = 0;
  rig.service.on_connection = [&questions](Wire& wire) {
    wire.on_bytes = [&wire, &questions] {
      if (!wire.received().ends_with("\r\n\r\n")) return;
      wire.take();
      switch (++questions % 16) {
        case 3: return wire.send(kBroken);
        case 6: return wire.reset();
        case 9: return;
        default: return wire.send(questions % 2 == 0 ? kAllowed : kDenied);
      }
    };
  };
  constexpr int kRounds = 15;
  int answered = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::unique_ptr<FakeClient>> clients;
    for (int i = 0; i < 12; ++i)
      clients.push_back(std::make_unique<FakeClient>(rig.loop, rig.proxy.endpoint(), kUpgrade));
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (i % 4 == 0) {
        clients[i]->reset();  // perhaps before its question is asked, perhaps after
        continue;
      }
      const int status = next_answer(rig.loop, *clients[i], false, 30s).status;
      CHECK((status == 101 || status == 401 || status == 503));
      ++answered;
    }
    rig.proxy.publish([&](config::Config& c) { c.auth->timeout = std::chrono::milliseconds(200 + round); });
  }
  CHECK(answered == kRounds * 9);
}

}  // namespace probegate::test
