// Frames through a tunnel, row by row of RFC 6455 section 5: they pass byte for byte wherever they are cut,
// in both directions at once, and a broken rule ends the tunnel with the code that says whose fault it was.
#include <catch2/catch.hpp>

#include "open_tunnel.h"

namespace probegate::test {
namespace {

using namespace std::string_literals;
using Frames = std::vector<std::string>;
using metrics::Direction;

const std::string kDeflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
std::string with_deflate(std::string head) { return head.insert(head.size() - 2, kDeflate); }

struct Traffic {
  std::string bytes;
  std::uint64_t messages;
};

// Every kind of frame that may pass where compression was agreed on, but Close.
Traffic small_frames(From side) {
  std::string bytes = text(side, "") + text(side, "hello") + frame(side, 0x82, std::string(125, 'a'));
  bytes += frame(side, 0x89, "") + frame(side, 0x89, "ping") + frame(side, 0x8a, "pong");
  bytes += frame(side, 0x01, "frag") + frame(side, 0x89, "between") + frame(side, 0x00, "") +
           frame(side, 0x8a, "") + frame(side, 0x00, "men") + frame(side, 0x80, "ts");
  bytes += frame(side, 0xc1, "\xf2\x48\xcd\xc9\xc9\x07") + frame(side, 0x42, "\xf2\x48") +
           frame(side, 0x89, "between") + frame(side, 0x80, "\xcd\xc9\xc9\x07");
  return {bytes, 3 + 1 + 2};
}

// Each form of length on both sides of its border.
Traffic large_frames(From side) {
  std::string bytes;
  for (const std::size_t size : {126u, 127u, 65'535u, 65'536u, 65'537u}) {
    bytes += frame(side, 0x82, std::string(size, static_cast<char>('a' + size % 23)));
  }
  return {bytes, 5};
}

// Both ends send at once, cut in two; the first piece is through before the second is sent.
void exchange_cut(OpenTunnel& tunnel, const Traffic& up, const Traffic& down, std::size_t cut) {
  const auto piece = [cut](const Traffic& traffic, bool first) {
    const auto at = std::min(cut, traffic.bytes.size());
    return first ? traffic.bytes.substr(0, at) : traffic.bytes.substr(at);
  };
  for (const bool first : {true, false}) {
    const std::string a = piece(up, first), b = piece(down, first);
    tunnel.client.send(a);
    tunnel.server().send(b);
    REQUIRE(tunnel.loop.until(
        [&] {
          return tunnel.server().received().size() >= a.size() && tunnel.client.received().size() >= b.size();
        },
        30s));
    CHECK((tunnel.server().take() == a));
    CHECK((tunnel.client.take() == b));
  }
}

struct Broken {
  std::string sentence;
  unsigned first;
  std::string payload = "a";
  std::string raw = {};  // in place of first and payload: from a server, without a mask
  bool in_message = false;
};

std::string code(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }

// The same frame as a client would send it, masked with zeros.
std::string from_side(From side, const Broken& row) {
  if (row.raw.empty()) return frame(side, row.first, row.payload);
  if (side == From::backend) return row.raw;
  const unsigned length = static_cast<unsigned char>(row.raw[1]) & 0x7fu;
  const std::size_t header = length == 126 ? 4 : length == 127 ? 10 : 2;
  std::string masked = row.raw;
  masked[1] = static_cast<char>(masked[1] | '\x80');
  return masked.insert(header, 4, '\0');
}

const std::vector<Broken> kBroken = [] {
  std::vector<Broken> table{
      {"RSV1 that nobody agreed on", 0xc1},
      {"RSV2", 0xa1},
      {"RSV3", 0x91},
      {"a Ping in fragments", 0x09},
      {"a Close in fragments", 0x08, ""},
      {"a Ping of 126 bytes", 0x89, std::string(126, 'p')},
      {"a length of 125 in 16 bits", 0x82, "", "\x82\x7e\x00\x7d"s + std::string(125, 'a')},
      {"a length of 65535 in 64 bits", 0x82, "", "\x82\x7f\0\0\0\0\0\0\xff\xff"s + "only its beginning"},
      {"a length with the top bit set", 0x82, "", "\x82\x7f\x80\0\0\0\0\0\0\1a"s},
      {"a continuation of nothing", 0x80},
      {"a message inside another", 0x81, "a", "", true},
      {"a Close of one byte", 0x88},
  };
  for (const unsigned opcode : {3u, 7u, 11u, 15u}) {
    table.push_back({"opcode " + std::to_string(opcode), 0x80u | opcode});
  }
  for (const unsigned bad : {999u, 1004u, 1005u, 1006u, 1015u, 2999u, 5000u}) {
    table.push_back({"Close " + std::to_string(bad), 0x88, code(bad)});
  }
  return table;
}();

// A good frame, then the bad one in two pieces.
void check_broken(const Broken& row, From side, std::size_t cut) {
  OpenTunnel tunnel;
  const From other = OpenTunnel::other(side);
  const std::string good = row.in_message ? frame(side, 0x01, "fine") : text(side, "fine");
  const std::string bad = from_side(side, row), mask = side == From::client ? "M:" : "";
  const std::string fine = mask + (row.in_message ? "text... fine" : "text fine");
  tunnel.end(side).send(good + bad.substr(0, cut));
  REQUIRE(tunnel.loop.until([&] { return tunnel.end(other).received().size() >= good.size(); }));
  tunnel.loop.settle(2);
  tunnel.end(side).send(bad.substr(cut) + text(side, "behind it"));

  const std::string to_breaker = side == From::client ? "close 1002" : "M:close 1002";
  CHECK(tunnel.sees(side, {to_breaker}));
  // Of the bad frame the other side gets at most what had come before it was known to be bad; then nothing
  // may be put behind it any more.
  const std::string to_other = side == From::client ? "M:close 1002" : "close 1011";
  REQUIRE(tunnel.loop.until([&] {
    const auto frames = frames_in(tunnel.end(other).received());
    return frames == Frames{fine, to_other} || tunnel.end(other).gone() ||
           frames == Frames{fine, "rest " + std::to_string(cut)};
  }));
  const auto frames = frames_in(tunnel.end(other).received());
  if (cut == 0 || cut == bad.size()) {
    CHECK(frames == Frames{fine, to_other});
  } else if (frames != Frames{fine, to_other}) {
    CHECK(frames == Frames{fine, "rest " + std::to_string(cut)});
  }
  tunnel.client.close();
  tunnel.server().close();
  const auto report = tunnel.report();
  CHECK(report["cause"] == "protocol_error");
  CHECK(report["close_code"] == 1002);
}

}  // namespace

TEST_CASE("Frames of every kind pass byte for byte both ways, cut at every byte") {
  OpenTunnel tunnel({}, with_deflate(kSwitching), with_deflate(kUpgrade));
  const Traffic up = small_frames(From::client), down = small_frames(From::backend);
  for (std::size_t cut = 1; cut <= up.bytes.size(); ++cut) {
    INFO("cut behind " << cut << " bytes of " << up.bytes.size());
    exchange_cut(tunnel, up, down, cut);
  }
  const auto& counts = tunnel.proxy.metrics();
  CHECK(counts.tunnel_messages[Direction::client_to_backend].value() == up.messages * up.bytes.size());
  CHECK(counts.tunnel_messages[Direction::backend_to_client].value() == down.messages * up.bytes.size());
  CHECK(counts.tunnel_bytes[Direction::client_to_backend].value() == up.bytes.size() * up.bytes.size());
  CHECK(counts.tunnel_bytes[Direction::backend_to_client].value() == down.bytes.size() * up.bytes.size());
}

TEST_CASE("Frames of every size pass byte for byte both ways, cut at every byte of their headers") {
  OpenTunnel tunnel;
  const Traffic up = large_frames(From::client), down = large_frames(From::backend);
  std::vector<std::size_t> cuts;
  for (const Traffic* traffic : {&up, &down}) {
    const std::size_t mask = traffic == &up ? 4 : 0;
    std::size_t begin = 0;
    for (const std::size_t size : {126u, 127u, 65'535u, 65'536u, 65'537u}) {
      const std::size_t header = (size > 65'535 ? 10 : 4) + mask;
      for (std::size_t at = 0; at <= header + 2; ++at) cuts.push_back(begin + at);
      begin += header + size;
      cuts.push_back(begin - 1);
    }
    REQUIRE(begin == traffic->bytes.size());
  }
  for (const std::size_t cut : cuts) {
    INFO("cut behind " << cut << " bytes");
    exchange_cut(tunnel, up, down, cut);
  }
  const auto& counts = tunnel.proxy.metrics();
  CHECK(counts.tunnel_messages[Direction::client_to_backend].value() == up.messages * cuts.size());
  CHECK(counts.tunnel_messages[Direction::backend_to_client].value() == down.messages * cuts.size());
}

TEST_CASE("A Close passes as it came, cut at every byte, and so does the answer to it") {
  struct Row {
    std::string sentence;
    std::string payload;
    int code;  // as told in the log
  };
  const std::vector<Row> rows = {
      {"without a code", "", 1005},
      {"normal, with a reason", code(1000) + "bye", 1000},
      {"the last registered one", code(3999), 3999},
      {"a private one", code(4000) + "mine", 4000},
      {"the longest reason", code(1001) + std::string(123, 'r'), 1001},
  };
  const From side = GENERATE(From::client, From::backend);
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.sentence << (side == From::client ? ", by the client" : ", by the backend")) {
      const From other = OpenTunnel::other(side);
      const std::string close = frame(side, 0x88, row.payload), answer = frame(other, 0x88, row.payload);
      for (std::size_t cut = 1; cut <= close.size(); cut += cut < 12 ? 1 : 37) {
        INFO("cut behind " << cut << " bytes");
        OpenTunnel tunnel;
        tunnel.end(side).send(close.substr(0, cut));
        REQUIRE(tunnel.loop.until([&] { return tunnel.end(other).received().size() >= cut; }));
        tunnel.end(side).send(close.substr(cut));
        REQUIRE(tunnel.loop.until([&] { return tunnel.end(other).received() == close; }));
        tunnel.end(other).send(answer);
        REQUIRE(tunnel.loop.until([&] { return tunnel.end(side).received() == answer; }));
        tunnel.server().half_close();
        CHECK(tunnel.loop.until([&] { return tunnel.client.ended(); }));
        tunnel.client.half_close();
        const auto report = tunnel.report();
        CHECK(report["cause"] == (side == From::client ? "client_close" : "backend_close"));
        CHECK(report["close_code"] == row.code);
      }
    }
  }
}

TEST_CASE("Whoever breaks a rule of framing is told 1002, and the other side learns whose fault it was") {
  const From side = GENERATE(From::client, From::backend);
  for (const Broken& row : kBroken) {
    DYNAMIC_SECTION(row.sentence << (side == From::client ? ", by the client" : ", by the backend")) {
      const std::size_t size = from_side(side, row).size();
      for (std::size_t cut = 0; cut <= size; cut += cut < 10 ? 1 : size - cut > 40 ? 40 : 1) {
        INFO("cut behind " << cut << " bytes");
        check_broken(row, side, cut);
      }
    }
  }
}

TEST_CASE("A frame that is masked on the wrong side breaks the protocol") {
  const From side = GENERATE(From::client, From::backend);
  OpenTunnel tunnel;
  tunnel.end(side).send(text(OpenTunnel::other(side), "ill"));
  CHECK(tunnel.sees(side, {side == From::client ? "close 1002" : "M:close 1002"}));
  CHECK(tunnel.sees(OpenTunnel::other(side), {side == From::client ? "M:close 1002" : "close 1011"}));
}

}  // namespace probegate::test
