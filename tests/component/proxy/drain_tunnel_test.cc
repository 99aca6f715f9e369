// Tunnels in a drain: when each client is told, what it is told before, and a backend that ends first.
#include <catch2/catch.hpp>

#include "open_tunnel.h"
#include "proxy/held_close.h"
#include "support/virtual_time.h"

namespace probegate::test {
namespace {

using health::Phase;
using Frames = std::vector<std::string>;
using namespace std::chrono_literals;

constexpr Duration kTimeout = 20s;

void lasts(config::Config& config) { config.drain.timeout = kTimeout; }

// Many tunnels, and when each client got its Close.
struct ManyTunnels {
  explicit ManyTunnels(std::size_t count, const ProxyFixture::Tune& tune = lasts)
      : backend(loop), proxy(loop, backend.endpoint(), tune) {
    backend.on_connection = [](Wire& wire) {
      wire.on_bytes = [&wire] {
        if (wire.received().ends_with("\r\n\r\n")) wire.take(), wire.send(kSwitching);
      };
    };
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), kUpgrade));
      auto& client = *clients.back();
      REQUIRE(loop.until([&] { return client.received().ends_with("\r\n\r\n"); }));
      client.take();
    }
    began = loop->now();
    for (auto& client : clients) client->on_bytes = [this] { closed.push_back(loop->now() - began); };
  }

  void backend_closes(unsigned code) {
    for (std::size_t i = 0; i < clients.size(); ++i) backend.wire(i).send(close_frame(From::backend, code));
  }
  void backend_ends() {
    for (std::size_t i = 0; i < clients.size(); ++i) backend.wire(i).close();
  }
  // The most Closes within any 100 ms.
  std::size_t most_at_once() const {
    std::size_t most = 0;
    for (const auto first : closed) {
      const auto within = [&](Duration when) { return when >= first && when < first + 100ms; };
      most = std::max(most, static_cast<std::size_t>(std::count_if(closed.begin(), closed.end(), within)));
    }
    return most;
  }
  bool all_see(const Frames& frames) const {
    return std::all_of(clients.begin(), clients.end(),
                       [&](const auto& client) { return frames_in(client->received()) == frames; });
  }

  TestLoop loop;
  LiveBackend backend;
  ProxyFixture proxy;
  std::vector<std::unique_ptr<FakeClient>> clients;
  TimePoint began;
  std::vector<Duration> closed;
};

TEST_CASE(
    "A backend that ends in the drain as well, in whatever way, is passed on at each tunnel's own turn") {
  struct Row {
    const char* name;
    std::function<void(ManyTunnels&)> end;
    Frames seen;
  };
  const Row rows[] = {
      {"Close 1001", [](ManyTunnels& t) { t.backend_closes(1001); }, {"close 1001"}},
      {"Close 1012", [](ManyTunnels& t) { t.backend_closes(1012); }, {"close 1012"}},
      {"loss", [](ManyTunnels& t) { t.backend_ends(); }, {"close 1012"}},
  };
  for (const auto& row : rows) {
    for (const Phase phase : {Phase::lame_duck, Phase::closing}) {
      CAPTURE(row.name, to_string(phase));
      const VirtualTime time;
      ManyTunnels tunnels(40);
      tunnels.proxy.publish(draining(phase));
      tunnels.loop.run_for(20ms);
      row.end(tunnels);
      if (phase == Phase::lame_duck) {
        tunnels.loop.run_for(3s);
        CHECK(tunnels.closed.empty());
        tunnels.proxy.publish(draining(Phase::closing));
      }
      REQUIRE(tunnels.loop.until([&] { return tunnels.closed.size() == 40; }, 30s));
      CHECK(tunnels.closed.back() - tunnels.closed.front() >= kTimeout / 2 * 9 / 10);
      CHECK(tunnels.most_at_once() <= 2);
      // The first one's turn is the beginning of the drain, so it may get ours.
      CHECK(frames_in(tunnels.clients.back()->received()) == row.seen);
      CHECK(tunnels.loop.until([&] { return tunnels.proxy.log_lines("tunnel ended").size() >= 1; }));
      for (const auto& line : tunnels.proxy.log_lines("tunnel ended"))
        CHECK(nlohmann::json::parse(line)["cause"] == "drain");
    }
  }
}

TEST_CASE("A Close that means no stop of the backend is passed on at once in a drain too") {
  const VirtualTime time;
  ManyTunnels tunnels(3);
  tunnels.proxy.publish(draining(Phase::closing));
  tunnels.loop.run_for(20ms);
  tunnels.backend.wire(2).send(close_frame(From::backend, 4000));
  const auto before = tunnels.loop->now();
  REQUIRE(
      tunnels.loop.until([&] { return frames_in(tunnels.clients[2]->received()) == Frames{"close 4000"}; }));
  CHECK(tunnels.loop->now() - before < 1s);
}

TEST_CASE("The backend gets the reply to a Close that is held back from the client") {
  const VirtualTime time;
  OpenTunnel tunnel(lasts);
  tunnel.proxy.publish(draining(Phase::lame_duck));
  tunnel.loop.run_for(20ms);
  tunnel.server().send(text(From::backend, "last") + close_frame(From::backend, 1001, "bye"));
  CHECK(tunnel.sees(From::backend, {"M:close 1001"}));
  CHECK(tunnel.sees(From::client, {"text last"}));
  tunnel.server().close();
  tunnel.loop.run_for(5s);
  CHECK(frames_in(tunnel.client.received()) == Frames{"text last"});
  tunnel.proxy.publish(draining(Phase::closing));
  CHECK(tunnel.sees(From::client, {"text last", "close 1001"}));
  tunnel.client.send(close_frame(From::client, 1001));
  const auto line = tunnel.report();
  CHECK(line["cause"] == "drain");
  CHECK(line["ended_by"] == "backend");
  CHECK(line["close_code"] == 1001);
  CHECK(line["reason"] == "bye");
}

TEST_CASE("A client that sends anything is told at once that its backend has ended") {
  for (const bool closes : {true, false}) {
    for (const auto& sent :
         {text(From::client, "hello"), frame(From::client, 0x89, ""), close_frame(From::client, 1000)}) {
      CAPTURE(closes, frames_in(sent).front());
      const VirtualTime time;
      OpenTunnel tunnel(lasts);
      tunnel.proxy.publish(draining(Phase::lame_duck));
      tunnel.loop.run_for(20ms);
      if (closes) tunnel.server().send(close_frame(From::backend, 1001));
      tunnel.server().close();
      tunnel.loop.run_for(1s);
      REQUIRE(tunnel.client.received().empty());
      const auto before = tunnel.loop->now();
      tunnel.client.send(sent);
      CHECK(tunnel.sees(From::client, {closes ? "close 1001" : "close 1012"}));
      CHECK(tunnel.loop->now() - before < 50ms);
      tunnel.client.send(close_frame(From::client, 1001));
      CHECK(tunnel.loop.until([&] { return tunnel.client.gone(); }));
      CHECK(tunnel.report()["cause"] == "drain");
    }
  }
}

TEST_CASE("A client that leaves while its Close is held back ends the tunnel") {
  for (const bool reset : {false, true}) {
    const VirtualTime time;
    OpenTunnel tunnel(lasts);
    tunnel.proxy.publish(draining(Phase::lame_duck));
    tunnel.loop.run_for(20ms);
    tunnel.server().send(close_frame(From::backend, 1001));
    tunnel.loop.run_for(20ms);
    if (reset) tunnel.client.reset();
    if (!reset) tunnel.client.close();
    CHECK(tunnel.report()["cause"] == "drain");
  }
}

TEST_CASE("A resumed drain passes on what it held back, and leaves the other tunnels alone") {
  const VirtualTime time;
  ManyTunnels tunnels(4);
  tunnels.proxy.publish(draining_by_command(Phase::closing));
  tunnels.loop.run_for(20ms);
  tunnels.backend.wire(2).send(close_frame(From::backend, 1001));
  tunnels.loop.run_for(20ms);
  tunnels.proxy.publish(open_gate());
  REQUIRE(
      tunnels.loop.until([&] { return frames_in(tunnels.clients[2]->received()) == Frames{"close 1001"}; }));
  tunnels.loop.run_for(kTimeout);
  for (const std::size_t i : {1u, 3u}) {
    CHECK(tunnels.clients[i]->received().empty());
    tunnels.backend.wire(i).send(text(From::backend, "still here"));
    CHECK(tunnels.loop.until(
        [&] { return frames_in(tunnels.clients[i]->received()) == Frames{"text still here"}; }));
  }
}

TEST_CASE("With `tunnels: wait` tunnels end by themselves, and the rest is closed in the last quarter") {
  const VirtualTime time;
  ManyTunnels tunnels(10, [](config::Config& config) {
    config.drain.timeout = kTimeout;
    config.drain.wait_for_tunnels = true;
  });
  tunnels.proxy.publish(draining(Phase::closing));
  tunnels.loop.run_for(20ms);
  tunnels.backend.wire(0).send(close_frame(From::backend, 1000));
  REQUIRE(tunnels.loop.until([&] { return tunnels.closed.size() == 1; }));
  REQUIRE(tunnels.loop.until([&] { return tunnels.closed.size() == 10; }, 30s));
  CHECK(tunnels.closed[1] >= kTimeout * 3 / 4);
  CHECK(tunnels.closed.back() < kTimeout);
  CHECK(tunnels.most_at_once() <= 2);
}

void with_notice(config::Config& config) {
  lasts(config);
  config.drain.notice = R"({"type":"restart","in":{seconds}})";
}

TEST_CASE("A notice tells each client how long it has before its own Close") {
  const VirtualTime time;
  ManyTunnels tunnels(4, with_notice);
  tunnels.proxy.publish(draining(Phase::closing));
  REQUIRE(tunnels.loop.until([&] {
    return std::all_of(tunnels.clients.begin(), tunnels.clients.end(),
                       [](const auto& client) { return !frames_in(client->received()).empty(); });
  }));
  Frames seen;
  for (const auto& client : tunnels.clients) seen.push_back(frames_in(client->received()).front());
  std::sort(seen.begin(), seen.end());
  CHECK(seen == Frames{R"(text {"type":"restart","in":0})", R"(text {"type":"restart","in":3})",
                       R"(text {"type":"restart","in":5})", R"(text {"type":"restart","in":8})"});
  for (const auto& client : tunnels.clients)
    CHECK(tunnels.loop.until([&] { return frames_in(client->received()).back() == "close 1001"; }, 30s));
}

TEST_CASE("A notice goes between two messages, never into a fragmented one, and is not compressed") {
  const VirtualTime time;
  OpenTunnel tunnel([](config::Config& config) { with_notice(config), config.drain.wait_for_tunnels = true; },
                    [] {
                      std::string head = kSwitching;
                      return head.insert(head.size() - 2, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
                    }(),
                    [] {
                      std::string head = kUpgrade;
                      return head.insert(head.size() - 2, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
                    }());
  tunnel.server().send(frame(From::backend, 0x41, "half "));  // RSV1: compressed
  CHECK(tunnel.sees(From::client, {"frame 65"}));
  tunnel.proxy.publish(draining(Phase::closing));
  tunnel.loop.run_for(500ms);
  CHECK(frames_in(tunnel.client.received()).size() == 1);
  // The rest of the message and the next one arrive at once.
  tunnel.server().send(frame(From::backend, 0x89, "") + frame(From::backend, 0x80, "whole") +
                       text(From::backend, "next"));
  CHECK(tunnel.loop.until([&] { return frames_in(tunnel.client.received()).size() >= 5; }));
  const auto frames = frames_in(tunnel.client.received());
  REQUIRE(frames.size() >= 5);
  CHECK(Frames(frames.begin(), frames.begin() + 3) == Frames{"frame 65", "ping", "...continued whole"});
  CHECK(frames[3].starts_with("text {\"type\":\"restart\""));
  CHECK(frames[4] == "text next");
}

TEST_CASE("A notice that finds no end of a message before the Close is left out") {
  const VirtualTime time;
  OpenTunnel tunnel(with_notice);
  tunnel.server().send(frame(From::backend, 0x01, "for ever"));
  CHECK(tunnel.sees(From::client, {"text... for ever"}));
  tunnel.proxy.publish(draining(Phase::closing));
  CHECK(tunnel.sees(From::client, {"text... for ever", "close 1001"}));
}

TEST_CASE("Outside of a drain many Closes of a backend are passed on at once, or spread over close_spread") {
  for (const Duration spread : {Duration(0), Duration(10s)}) {
    CAPTURE(spread.count());
    const VirtualTime time;
    ManyTunnels tunnels(50, [&](config::Config& config) { config.proxy.websocket.close_spread = spread; });
    tunnels.backend_closes(1001);
    REQUIRE(tunnels.loop.until([&] { return tunnels.closed.size() == 50; }, 20s));
    CHECK(tunnels.all_see({"close 1001"}));
    if (spread == Duration::zero()) {
      CHECK(tunnels.closed.back() < 2s);
      continue;
    }
    CHECK(tunnels.closed[9] < 1s);  // the first ones, before the rush was known
    CHECK(tunnels.closed.back() >= spread / 2);
    CHECK(tunnels.closed.back() <= spread + 1s);
    tunnels.closed.erase(tunnels.closed.begin(), tunnels.closed.begin() + 10);
    CHECK(tunnels.most_at_once() <= 2);
    CHECK(tunnels.proxy.stops() > 0);
  }
}

TEST_CASE(
    "A rush of ends is more than ten within 100 ms, and each further one gets its place in the spread") {
  proxy::EndRush rush;
  CHECK_FALSE(rush.delay_of_next(1000, 0s, 1, 100));
  for (int i = 0; i < 10; ++i)
    CHECK_FALSE(rush.delay_of_next(1000 + 5u * static_cast<unsigned>(i), 10s, 1, 100));
  CHECK(rush.delay_of_next(1060, 10s, 1, 100) == Duration(100ms));
  CHECK(rush.delay_of_next(1060, 10s, 1, 99) == Duration(100ms));
  CHECK(rush.delay_of_next(1060, 10s, 1, 98) == Duration(200ms));
  CHECK(rush.delay_of_next(2060, 10s, 1, 97) == std::nullopt);  // its place has passed
  // After the spread it is counted anew.
  CHECK_FALSE(rush.delay_of_next(20'000, 10s, 1, 50));
  SECTION("ten, but slower, are none") {
    for (unsigned i = 1; i < 30; ++i) CHECK_FALSE(rush.delay_of_next(20'000 + 20 * i, 10s, 1, 50));
  }
  SECTION("each of several loops sees its part") {
    for (int i = 0; i < 4; ++i) CHECK_FALSE(rush.delay_of_next(20'001, 10s, 2, 50));
    CHECK(rush.delay_of_next(20'001, 10s, 2, 50));
  }
}

}  // namespace
}  // namespace probegate::test
