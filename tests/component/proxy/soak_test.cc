// Some thousand random events at tunnels, held requests and backends, by seed; what must be true in the end
// is.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <random>

#include "exchange.h"
#include "frames.h"

namespace probegate::test {
namespace {

// Connections of this process, by what the kernel calls their descriptors.
std::ptrdiff_t open_sockets() {
  const auto is_socket = [](const auto& entry) {
    std::error_code gone;  // the descriptor of this very reading, for one
    return std::filesystem::read_symlink(entry, gone).string().starts_with("socket:");
  };
  return std::count_if(std::filesystem::directory_iterator("/proc/self/fd"), {}, is_socket);
}

class Soak {
 public:
  explicit Soak(unsigned seed) : random_(seed), backend_(loop_), proxy_(loop_, backend_.endpoint(), tune) {
    backend_.on_connection = [this](Wire& wire) { answer(wire); };
  }

  void run(int events) {
    for (int i = 0; i < events; ++i) {
      event();
      loop_.settle(1);
    }
  }

  // Everybody leaves, in one way or the other, while the process drains.
  void end() {
    proxy_.publish(closed_ ? closed_gate() : open_gate());
    proxy_.publish(draining(health::Phase::closing));
    for (auto& client : clients_) {
      if (chance(2)) leave(*client);
    }
    loop_.settle(20);
    proxy_.publish(draining(health::Phase::cutting));
    REQUIRE(loop_.until([&] { return proxy_.ended() == proxy_.loops(); }));
    check_counts();
  }

 private:
  static void tune(config::Config& c) {
    c.proxy.workers = 3;
    c.proxy.hold = {12, 400ms, 500};
    c.proxy.limits.connections = 50;
    c.proxy.timeouts.upgrade = 300ms;
    c.proxy.timeouts.response = 300ms;
    c.proxy.websocket.max_message = 200'000;
    c.proxy.websocket.idle_timeout = 900ms;
    c.proxy.websocket.ping_interval = 250ms;
    c.proxy.websocket.max_lifetime = 2s;
    c.drain.timeout = 100ms;
  }

  unsigned upto(std::size_t most) { return static_cast<unsigned>(random_() % most); }
  bool chance(unsigned one_in) { return upto(one_in) == 0; }

  // The backend's first word; what it says later is an event.
  void answer(Wire& wire) {
    wire.on_bytes = [this, &wire] {
      if (wire.received().find("\r\n\r\n") == std::string::npos) return;
      const bool upgrade = wire.received().find("Upgrade: websocket") != std::string::npos;
      wire.take();
      switch (upto(12)) {
        case 0: return wire.close();
        case 1: return wire.reset();
        case 2: return;  // never
        case 3: return wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        default: break;
      }
      wire.send(upgrade ? kSwitching : kOk);
      if (upgrade) {
        servers_.push_back(&wire);
        wire.on_bytes = [&wire] { wire.take(); };  // the last thing that this one does
      }
    };
  }

  void event() {
    std::erase_if(clients_, [](const auto& client) { return client->gone() || !client->open(); });
    for (std::size_t i = 0; i < backend_.connections(); ++i) {
      if (backend_.wire(i).ended() && backend_.wire(i).open()) backend_.wire(i).close();
    }
    std::erase_if(servers_, [](const Wire* server) { return !server->open(); });
    const unsigned what = upto(20);
    if (what < 5 || clients_.empty()) {
      clients_.push_back(std::make_unique<FakeClient>(loop_, proxy_.endpoint(), chance(4) ? kGet : kUpgrade));
      clients_.back()->on_bytes = [&client = *clients_.back()] { client.take(); };
    } else if (what < 10) {
      say(*clients_[upto(clients_.size())], From::client);
    } else if (what < 15 && !servers_.empty()) {
      say(*servers_[upto(servers_.size())], From::backend);
    } else if (what < 17) {
      leave(*clients_[upto(clients_.size())]);
    } else if (what < 18 && !servers_.empty()) {
      leave(*servers_[upto(servers_.size())]);
    } else if (what == 18) {
      closed_ = !closed_;
      proxy_.publish(closed_ ? closed_gate() : open_gate());
    } else {
      loop_.run_for(std::chrono::milliseconds(upto(20)));
    }
  }

  void say(Wire& wire, From from) {
    switch (upto(12)) {
      case 0: return wire.send(text(from, std::string(upto(100'000), 'x')));
      case 1: return wire.send(text(from, "unfinished").substr(0, 1 + upto(14)));
      case 2: return wire.send(frame(from, 0x01, "begun"));
      case 3: return wire.send(frame(from, 0x80, "ended"));
      case 4: return wire.send(frame(from, 0x89, "ping"));
      case 5: return wire.send(frame(from, 0x82, std::string(chance(3) ? 300'000 : 100, 'x')));
      case 6: return wire.stop_reading();
      case 7: return wire.read_on();
      case 8: return wire.send_bytewise(text(from, "bytewise") + text(from, "again"));
      default: return wire.send(text(from, "hello"));
    }
  }

  void leave(Wire& wire) {
    const From from =
        std::find(servers_.begin(), servers_.end(), &wire) == servers_.end() ? From::client : From::backend;
    switch (upto(5)) {
      case 0: return wire.close();
      case 1: return wire.reset();
      case 2: return wire.half_close();
      case 3: return wire.send(text(from == From::client ? From::backend : From::client, "masked wrongly"));
      default: return wire.send(close_frame(from, 1000 + upto(4)));
    }
  }

  void check_counts() {
    std::uint64_t accepted = 0, ends = 0, messages = 0;
    for (std::size_t i = 0; i < proxy_.loops(); ++i) {
      const auto& metrics = proxy_.loop(i).metrics();
      CHECK(metrics.tunnels.value() == 0);
      CHECK(metrics.held.value() == 0);
      accepted += metrics.upgrades[metrics::UpgradeResult::accepted].value();
      for (std::size_t cause = 0; cause < metrics::label_count<metrics::TunnelCause>; ++cause)
        ends += metrics.tunnel_ends[static_cast<metrics::TunnelCause>(cause)].value();
      messages += metrics.tunnel_messages[metrics::Direction::client_to_backend].value() +
                  metrics.tunnel_messages[metrics::Direction::backend_to_client].value();
    }
    CHECK(accepted == ends);
    CHECK(accepted > 20);
    CHECK(messages > 20);
    CHECK(proxy_.connections() == 0);
    CHECK(
        loop_.until([&] { return proxy_.log_lines("tunnel ended").size() == ends; }));  // it is written later
    CHECK(proxy_.log_lines("a session ended by an internal error").empty());
    CHECK(loop_.sink.errors.empty());
  }

  std::mt19937 random_;
  TestLoop loop_;
  LiveBackend backend_;
  std::vector<Wire*> servers_;  // upgraded
  bool closed_ = false;
  ProxyFixture proxy_;
  std::vector<std::unique_ptr<FakeClient>> clients_;
};

}  // namespace

TEST_CASE("After random events nothing is left, and the numbers add up") {
  const auto before = open_sockets();
  for (const unsigned seed : {1u, 2u, 3u, 4u}) {
    INFO("seed " << seed);
    Soak soak(seed);
    soak.run(900);
    soak.end();
  }
  CHECK(open_sockets() <= before);
}

}  // namespace probegate::test
