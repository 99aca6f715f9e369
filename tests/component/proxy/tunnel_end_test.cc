// Every way a tunnel ends: what each side is told, and what the log and the metrics say of it.
#include <catch2/catch.hpp>

#include "open_tunnel.h"

namespace probegate::test {
namespace {

using Frames = std::vector<std::string>;
using metrics::TunnelCause;

// What the side that ends had under way before it ended.
enum class At { boundary, mid_frame, mid_header };

// The beginning of a frame, and what the other side sees of it.
std::string beginning(From side, At at) {
  const std::string whole = text(side, "unfinished");
  return at == At::boundary     ? ""
         : at == At::mid_header ? whole.substr(0, 1)
                                : whole.substr(0, whole.size() - 3);
}
Frames seen(From side, At at) {
  const auto size = beginning(side, at).size();
  return size == 0 ? Frames{} : Frames{"rest " + std::to_string(size)};
}

struct Ending {
  std::string name;
  From who;
  At at;
  std::function<void(Wire&)> how;
  Frames client_gets;  // after what was under way
  Frames backend_gets;
  TunnelCause cause;
  int code;
  std::string by;
  bool fin_to_client = true;  // before the client ends its side
  bool fin_to_backend = false;
};

void bad_frame(Wire& wire, From side) { wire.send(text(OpenTunnel::other(side), "ill")); }  // masked wrongly

const std::vector<Ending> kEndings = [] {
  const auto fin = [](Wire& w) { w.half_close(); };
  const auto rst = [](Wire& w) { w.reset(); };
  const auto bad_client = [](Wire& w) { bad_frame(w, From::client); };
  const auto bad_backend = [](Wire& w) { bad_frame(w, From::backend); };
  const From c = From::client, b = From::backend;
  using T = TunnelCause;
  return std::vector<Ending>{
      {"client FIN", c, At::boundary, fin, {}, {}, T::client_lost, 1006, "client", false, true},
      {"client FIN in a frame", c, At::mid_frame, fin, {}, {}, T::client_lost, 1006, "client", false, true},
      {"client FIN in a header", c, At::mid_header, fin, {}, {}, T::client_lost, 1006, "client", false, true},
      {"client RST", c, At::boundary, rst, {}, {}, T::client_lost, 1006, "client", false, true},
      {"client RST in a frame", c, At::mid_frame, rst, {}, {}, T::client_lost, 1006, "client", false, true},
      {"client RST in a header", c, At::mid_header, rst, {}, {}, T::client_lost, 1006, "client", false, true},
      {"backend FIN", b, At::boundary, fin, {"close 1012"}, {}, T::backend_lost, 1006, "backend"},
      {"backend FIN in a frame", b, At::mid_frame, fin, {}, {}, T::backend_lost, 1006, "backend"},
      {"backend FIN in a header", b, At::mid_header, fin, {}, {}, T::backend_lost, 1006, "backend"},
      {"backend RST", b, At::boundary, rst, {"close 1012"}, {}, T::backend_lost, 1006, "backend"},
      {"backend RST in a frame", b, At::mid_frame, rst, {}, {}, T::backend_lost, 1006, "backend"},
      {"backend RST in a header", b, At::mid_header, rst, {}, {}, T::backend_lost, 1006, "backend"},
      {"client breaks the protocol",
       c,
       At::boundary,
       bad_client,
       {"close 1002"},
       {"M:close 1002"},
       T::protocol_error,
       1002,
       "client"},
      {"client breaks the protocol in a header",
       c,
       At::mid_header,
       [](Wire& w) { w.send("\x02hi"); },
       {"close 1002"},
       {},
       T::protocol_error,
       1002,
       "client"},
      {"backend breaks the protocol",
       b,
       At::boundary,
       bad_backend,
       {"close 1011"},
       {"M:close 1002"},
       T::protocol_error,
       1002,
       "backend",
       true,
       true},
      {"backend breaks the protocol in a header",
       b,
       At::mid_header,
       [](Wire& w) {
         w.send(
             "\x82"
             "abcdhi");
       },
       {},
       {"M:close 1002"},
       T::protocol_error,
       1002,
       "backend",
       true,
       true},
      {"client sends too much",
       c,
       At::boundary,
       [](Wire& w) { w.send(text(From::client, std::string(65, 'x'))); },
       {"close 1009"},
       {"M:close 1009"},
       T::max_message,
       1009,
       "client"},
      {"backend sends too much",
       b,
       At::boundary,
       [](Wire& w) { w.send(text(From::backend, std::string(65, 'x'))); },
       {"close 1009"},
       {"M:close 1009"},
       T::max_message,
       1009,
       "backend",
       true,
       true},
      {"client sends too much in fragments",
       c,
       At::boundary,
       [](Wire& w) {
         w.send(frame(From::client, 0x01, std::string(40, 'x')));
         w.send(frame(From::client, 0x80, std::string(40, 'x')));
       },
       {"close 1009"},
       {"M:text... " + std::string(40, 'x'), "M:close 1009"},
       T::max_message,
       1009,
       "client"},
      {"backend sends too much in fragments, a Ping between them",
       b,
       At::boundary,
       [](Wire& w) {
         w.send(frame(From::backend, 0x01, std::string(40, 'x')) + frame(From::backend, 0x89, "") +
                frame(From::backend, 0x80, std::string(40, 'x')));
       },
       {"text... " + std::string(40, 'x'), "ping", "close 1009"},
       {"M:close 1009"},
       T::max_message,
       1009,
       "backend",
       true,
       true},
      {"client announces more than there is in the world",
       c,
       At::boundary,
       [](Wire& w) { w.send(std::string("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10) + "keys"); },
       {"close 1009"},
       {"M:close 1009"},
       T::max_message,
       1009,
       "client"},
      {"backend announces more than there is in the world",
       b,
       At::boundary,
       [](Wire& w) { w.send(std::string("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10)); },
       {"close 1009"},
       {"M:close 1009"},
       T::max_message,
       1009,
       "backend",
       true,
       true},
      {"backend sends a length with the top bit set",
       b,
       At::boundary,
       [](Wire& w) { w.send(std::string("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x01", 10)); },
       {"close 1011"},
       {"M:close 1002"},
       T::protocol_error,
       1002,
       "backend",
       true,
       true},
  };
}();

Frames joined(Frames first, const Frames& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

TEST_CASE("A tunnel's end is told to both sides in a way they can read") {
  for (const Ending& ending : kEndings) {
    DYNAMIC_SECTION(ending.name) {
      OpenTunnel tunnel([](config::Config& c) { c.proxy.websocket.max_message = 64; });
      Wire& actor = tunnel.end(ending.who);
      const From passive = OpenTunnel::other(ending.who);
      actor.send(beginning(ending.who, ending.at));
      const Frames under_way = seen(ending.who, ending.at);
      REQUIRE(tunnel.sees(passive, under_way));

      ending.how(actor);
      const Frames to_client =
          passive == From::client ? joined(under_way, ending.client_gets) : ending.client_gets;
      const Frames to_backend =
          passive == From::backend ? joined(under_way, ending.backend_gets) : ending.backend_gets;
      if (tunnel.client.open()) {
        CHECK(tunnel.sees(From::client, to_client));
        if (ending.fin_to_client) CHECK(tunnel.loop.until([&] { return tunnel.client.ended(); }));
      }
      if (tunnel.server().open()) {
        CHECK(tunnel.sees(From::backend, to_backend));
        if (ending.fin_to_backend) CHECK(tunnel.loop.until([&] { return tunnel.server().ended(); }));
      }
      INFO("client: " << Catch::StringMaker<Frames>::convert(frames_in(tunnel.client.received()))
                      << ", backend: "
                      << Catch::StringMaker<Frames>::convert(frames_in(tunnel.server().received())));
      CHECK_FALSE(tunnel.client.lost());
      CHECK_FALSE(tunnel.server().lost());
      if (tunnel.client.open()) tunnel.client.half_close();
      if (tunnel.server().open()) tunnel.server().half_close();

      const auto report = tunnel.report();
      CHECK(report["cause"] == std::string(metrics::to_string(ending.cause)));
      CHECK(report["ended_by"] == ending.by);
      CHECK(report["close_code"] == ending.code);
      CHECK(report["age_seconds"].get<double>() < 5);
      CHECK(report["gate"] == "open");
      CHECK(tunnel.proxy.metrics().tunnel_ends[ending.cause].value() == 1);
      CHECK(tunnel.loop.until([&] { return tunnel.proxy.metrics().tunnels.value() == 0; }));
    }
  }
}

TEST_CASE("A Close of one side and the answer of the other pass untouched") {
  const From first = GENERATE(From::client, From::backend);
  OpenTunnel tunnel;
  const From second = OpenTunnel::other(first);
  const std::string one = close_frame(first, 3007, "enough"), two = close_frame(second, 1000);
  tunnel.end(first).send(one + "never");  // nothing may follow a Close
  REQUIRE(tunnel.loop.until([&] { return tunnel.end(second).received() == one; }));
  tunnel.end(second).send(two);
  REQUIRE(tunnel.loop.until([&] { return tunnel.end(first).received() == two; }));
  // The server ends TCP first (RFC 6455 section 7.1.1), and to the client that is us.
  CHECK(tunnel.loop.until([&] { return tunnel.client.ended(); }));
  CHECK_FALSE(tunnel.server().gone());
  tunnel.server().half_close();
  tunnel.client.half_close();
  const auto report = tunnel.report();
  CHECK(report["cause"] == (first == From::client ? "client_close" : "backend_close"));
  CHECK(report["close_code"] == 3007);
  CHECK(tunnel.end(second).received() == one);
}

TEST_CASE("After both Closes a peer that keeps TCP open is waited for 2 s and no longer") {
  VirtualTime time;
  OpenTunnel tunnel;
  tunnel.client.send(close_frame(From::client, 1000));
  REQUIRE(tunnel.sees(From::backend, {"M:close 1000"}));
  tunnel.server().send(close_frame(From::backend, 1000));
  const Duration took = tunnel.until_report();
  CHECK(took > 1500ms);
  CHECK(took < 3500ms);
}

TEST_CASE("A half-closed client still gets what the backend has to say") {
  OpenTunnel tunnel;
  tunnel.client.send(text(From::client, "the end"));
  tunnel.client.half_close();
  REQUIRE(tunnel.loop.until([&] { return tunnel.server().ended(); }));
  CHECK(frames_in(tunnel.server().received()) == Frames{"M:text the end"});
  tunnel.server().send(text(From::backend, "answer") + close_frame(From::backend, 1000));
  CHECK(tunnel.sees(From::client, {"text answer", "close 1000"}));
  tunnel.server().half_close();
  CHECK(tunnel.report()["cause"] == "client_lost");
}

TEST_CASE("A client that waits for the answer to its Close gets one even from a backend that dies") {
  OpenTunnel tunnel;
  tunnel.client.send(close_frame(From::client, 3001));
  REQUIRE(tunnel.sees(From::backend, {"M:close 3001"}));
  tunnel.server().reset();
  CHECK(tunnel.sees(From::client, {"close 3001"}));
  CHECK(tunnel.loop.until([&] { return tunnel.client.ended(); }));
  tunnel.client.half_close();
  CHECK(tunnel.report()["cause"] == "client_close");
}

TEST_CASE("A drain closes a tunnel towards both sides, and waits for a large frame to end") {
  VirtualTime time;
  const auto drain = [](config::Config& c) { c.drain.timeout = 10ms; };
  SECTION("between frames") {
    OpenTunnel tunnel(drain);
    tunnel.proxy.publish(draining(health::Phase::closing));
    CHECK(tunnel.sees(From::client, {"close 1001"}));
    CHECK(tunnel.sees(From::backend, {"M:close 1001"}));
    tunnel.client.send(close_frame(From::client, 1001));
    tunnel.server().send(close_frame(From::backend, 1001));
    CHECK(tunnel.loop.until([&] { return tunnel.client.ended(); }));
    tunnel.client.half_close();
    tunnel.server().half_close();
    const auto report = tunnel.report();
    CHECK(report["cause"] == "drain");
    CHECK(report["ended_by"] == "probegate");
    CHECK(report["close_code"] == 1001);
    CHECK(tunnel.loop.until([&] { return tunnel.proxy.ended() == 1; }));
    CHECK(frames_in(tunnel.client.received()) == Frames{"close 1001"});
    CHECK(frames_in(tunnel.server().received()) == Frames{"M:close 1001"});
  }
  SECTION("with frames under way in both directions") {
    OpenTunnel tunnel(drain);
    const std::string up = text(From::client, std::string(70'000, 'u'));
    const std::string down = text(From::backend, std::string(70'000, 'd'));
    tunnel.client.send(up.substr(0, 66'000));
    tunnel.server().send(down.substr(0, 3));
    REQUIRE(tunnel.loop.until([&] { return tunnel.server().received().size() == 66'000; }));
    REQUIRE(tunnel.loop.until([&] { return tunnel.client.received().size() == 3; }));
    tunnel.proxy.publish(draining(health::Phase::closing));
    tunnel.loop.run_for(50ms);
    CHECK(tunnel.client.received().size() == 3);
    tunnel.client.send(up.substr(66'000) + text(From::client, "too late"));
    tunnel.server().send(down.substr(3) + text(From::backend, "too late"));
    CHECK(tunnel.sees(From::client, {"text " + std::string(70'000, 'd'), "close 1001"}));
    CHECK(tunnel.sees(From::backend, {"M:text " + std::string(70'000, 'u'), "M:close 1001"}));
    tunnel.client.close();
    tunnel.server().close();
    const auto report = tunnel.report();
    CHECK(report["client_to_backend_messages"] == 1);
    CHECK(report["backend_to_client_messages"] == 1);
    CHECK(report["client_to_backend_bytes"] == up.size());
  }
  SECTION("cut when the time is over") {
    OpenTunnel tunnel(drain);
    tunnel.client.send(text(From::client, "unfinished").substr(0, 9));
    REQUIRE(tunnel.sees(From::backend, {"rest 9"}));
    tunnel.proxy.publish(draining(health::Phase::closing));
    CHECK(tunnel.sees(From::client, {"close 1001"}));
    tunnel.proxy.publish(draining(health::Phase::cutting));
    CHECK(tunnel.loop.until([&] { return tunnel.client.gone() && tunnel.server().gone(); }));
    CHECK(tunnel.report()["cause"] == "drain");
    CHECK(tunnel.loop.until([&] { return tunnel.proxy.ended() == 1; }));
  }
  SECTION("a peer that never answers is waited for 2 s") {
    OpenTunnel tunnel(drain);
    tunnel.proxy.publish(draining(health::Phase::closing));
    const Duration took = tunnel.until_report();
    CHECK(took > 1900ms);
    CHECK(took < 3500ms);
  }
}

TEST_CASE("A slow reader gets all that was queued for it and the Close behind it, before the 2 s begin") {
  OpenTunnel tunnel;
  tunnel.client.stop_reading();
  const std::string message = frame(From::backend, 0x82, std::string(60'000, 'x'));
  const auto& passed = tunnel.proxy.metrics().tunnel_bytes[metrics::Direction::backend_to_client];
  std::size_t messages = 0;
  do {
    REQUIRE(++messages < 1000);
    tunnel.server().send(message);
  } while (tunnel.loop.until([&] { return passed.value() == messages * message.size(); }, 200ms));
  --messages;  // the last one stays where it is, behind one that lies in our queue
  REQUIRE(passed.value() == messages * message.size());

  tunnel.proxy.publish(draining(health::Phase::closing));
  CHECK(tunnel.sees(From::backend, {"M:close 1001"}));
  tunnel.loop.run_for(3s);
  tunnel.client.read_on();
  REQUIRE(
      tunnel.loop.until([&] { return tunnel.client.received().size() > messages * message.size(); }, 30s));
  CHECK(frames_in(tunnel.client.take().substr(messages * message.size())) == Frames{"close 1001"});
}

TEST_CASE("Only data messages are counted, each in its direction") {
  OpenTunnel tunnel;
  const From side = GENERATE(From::client, From::backend);
  const From other = OpenTunnel::other(side);
  tunnel.end(side).send(text(side, "one") + frame(side, 0x89, "ping") + frame(side, 0x02, "two, in three") +
                        frame(side, 0x8a, "pong") + frame(side, 0x00, "fragments") + frame(side, 0x80, "") +
                        frame(side, 0x82, std::string(70'000, '3')) + text(side, ""));
  REQUIRE(tunnel.loop.until([&] { return frames_in(tunnel.end(other).received()).size() == 8; }));
  tunnel.end(side).send(close_frame(side, 1000));
  REQUIRE(tunnel.loop.until([&] { return frames_in(tunnel.end(other).received()).size() == 9; }));
  tunnel.client.close();
  tunnel.server().close();
  const auto report = tunnel.report();
  const auto& counts = tunnel.proxy.metrics().tunnel_messages;
  using metrics::Direction;
  CHECK(counts[Direction::client_to_backend].value() == (side == From::client ? 4 : 0));
  CHECK(counts[Direction::backend_to_client].value() == (side == From::client ? 0 : 4));
  CHECK(report["client_to_backend_messages"] == (side == From::client ? 4 : 0));
  CHECK(report["backend_to_client_messages"] == (side == From::client ? 0 : 4));
}

TEST_CASE("What the peers do after our Close does not put off the end of a tunnel") {
  OpenTunnel tunnel([](config::Config& c) { c.drain.timeout = 10ms; });
  const auto before = tunnel.loop->now();
  tunnel.proxy.publish(draining(health::Phase::closing));
  REQUIRE(tunnel.sees(From::client, {"close 1001"}));
  tunnel.loop.run_for(1500ms);
  tunnel.client.half_close();
  CHECK(tunnel.report()["cause"] == "drain");
  CHECK(tunnel.loop->now() - before < 3s);  // of which 2 s are for the answers
}

}  // namespace probegate::test
