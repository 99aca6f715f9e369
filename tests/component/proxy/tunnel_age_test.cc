// Tunnels that end because of their age or their idleness.
#include <algorithm>
#include <catch2/catch.hpp>

#include "exchange.h"
#include "open_tunnel.h"

namespace probegate::test {

TEST_CASE("An idle tunnel ends with 1001, one with traffic either way does not") {
  VirtualTime time;
  const auto idle = [](config::Config& c) { c.proxy.websocket.idle_timeout = 300ms; };
  SECTION("idle") {
    OpenTunnel tunnel(idle);
    CHECK(tunnel.sees(From::client, {"close 1001"}));
    CHECK(tunnel.sees(From::backend, {"M:close 1001"}));
    tunnel.client.close();
    tunnel.server().close();
    CHECK(tunnel.report()["cause"] == "idle_timeout");
  }
  SECTION("used") {
    OpenTunnel tunnel(idle);
    const From side = GENERATE(From::client, From::backend);
    for (int i = 0; i < 8; ++i) {
      tunnel.loop.run_for(100ms);
      tunnel.end(side).send(text(side, "x"));
    }
    CHECK(tunnel.loop.until(
        [&] { return frames_in(tunnel.end(OpenTunnel::other(side)).received()).size() == 8; }));
    CHECK(tunnel.end(side).received().empty());
  }
}

TEST_CASE("Lifetimes are spread, so that a generation of tunnels does not come back as one") {
  VirtualTime time;
  TestLoop loop;
  LiveBackend backend(loop);
  backend.on_connection = accept_upgrade;
  ProxyFixture proxy(loop, backend.endpoint(),
                     [](config::Config& c) { c.proxy.websocket.max_lifetime = 3s; });
  std::vector<std::unique_ptr<FakeClient>> clients;
  std::vector<TimePoint> begun, ended;
  for (int i = 0; i < 24; ++i) {
    clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), kUpgrade));
    FakeClient& client = *clients.back();
    REQUIRE(loop.until([&] { return client.received().ends_with("\r\n\r\n"); }));
    begun.push_back(loop->now());
  }
  for (auto& client : clients) client->on_bytes = [&] { ended.push_back(loop->now()); };
  REQUIRE(loop.until([&] { return ended.size() == clients.size(); }));
  std::sort(ended.begin(), ended.end());
  CHECK(ended.front() - begun.front() >= 2650ms);
  CHECK(ended.back() - ended.front() >= 100ms);  // of the 300 that are possible
}

TEST_CASE("A tunnel ends before its lifetime is over, spread by a tenth") {
  VirtualTime time;
  OpenTunnel tunnel([](config::Config& c) { c.proxy.websocket.max_lifetime = 500ms; });
  const auto before = tunnel.loop->now();
  CHECK(tunnel.sees(From::client, {"close 1001"}));
  const auto took = tunnel.loop->now() - before;
  CHECK(took > 430ms);
  CHECK(took < 900ms);
  tunnel.client.close();
  tunnel.server().close();
  CHECK(tunnel.report()["cause"] == "max_lifetime");
}

}  // namespace probegate::test
