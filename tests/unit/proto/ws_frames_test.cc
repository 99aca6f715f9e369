#include "proto/ws_frames.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace probegate::proto;
using namespace std::string_literals;
using Problem = FrameTracker::Problem;

namespace {

constexpr std::array<unsigned char, 4> kKey{0x37, 0xfa, 0x21, 0x3d};

enum class Form { shortest, in16, in64 };

// A frame built here, byte by byte from RFC 6455 section 5.2, not by the code under test.
std::string frame(Masking masking, unsigned first, const std::string& payload, Form form = Form::shortest) {
  std::string out(1, static_cast<char>(first));
  const unsigned mask = masking == Masking::required ? 0x80 : 0;
  if (form == Form::shortest && payload.size() > 125)
    form = payload.size() > 0xffff ? Form::in64 : Form::in16;
  const auto size = static_cast<std::uint64_t>(payload.size());
  if (form == Form::shortest) {
    out += static_cast<char>(mask | size);
  } else {
    out += static_cast<char>(mask | (form == Form::in16 ? 126 : 127));
    for (int shift = form == Form::in16 ? 8 : 56; shift >= 0; shift -= 8)
      out += static_cast<char>(size >> shift);
  }
  if (mask == 0) return out + payload;
  out.append(kKey.begin(), kKey.end());
  for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ kKey[i % 4]);
  return out;
}

std::string code(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }

std::string text_of(const ControlFrame& frame) { return std::string(frame.view()); }

}  // namespace

TEST_CASE("A tracker is small") { CHECK(sizeof(FrameTracker) <= 64); }

TEST_CASE("Every kind of frame is walked, however it is sliced, in both roles") {
  struct Row {
    const char* what;
    std::vector<std::pair<unsigned, std::string>> frames;  // first byte, payload
    unsigned messages;
    bool closed = false;
  };
  const std::vector<Row> table{
      {"text", {{0x81, "Hello"}}, 1},
      {"empty text", {{0x81, ""}}, 1},
      {"binary of 125", {{0x82, std::string(125, 'b')}}, 1},
      {"binary of 126", {{0x82, std::string(126, 'b')}}, 1},
      {"binary of 65535", {{0x82, std::string(65535, 'b')}}, 1},
      {"binary of 65536", {{0x82, std::string(65536, 'b')}}, 1},
      {"two messages", {{0x81, "a"}, {0x82, "b"}}, 2},
      {"fragments", {{0x01, "a"}, {0x00, ""}, {0x00, "b"}, {0x80, "c"}}, 1},
      {"ping between fragments", {{0x02, "a"}, {0x89, "p"}, {0x80, "c"}}, 1},
      {"open message", {{0x01, "a"}, {0x00, "b"}}, 0},
      {"ping", {{0x89, "payload"}}, 0},
      {"empty pong", {{0x8a, ""}}, 0},
      {"pong of 125", {{0x8a, std::string(125, 'p')}, {0x81, "x"}}, 1},
      {"close", {{0x81, "x"}, {0x88, ""}}, 1, true},
      {"close with code", {{0x88, code(1000)}}, 0, true},
      {"close with reason", {{0x88, code(4999) + std::string(123, 'r')}}, 0, true},
      {"close in a message", {{0x01, "x"}, {0x88, code(1001)}}, 0, true},
  };
  for (const Masking masking : {Masking::required, Masking::forbidden}) {
    for (const Row& row : table) {
      std::string bytes;
      std::vector<std::size_t> boundaries{0};
      for (const auto& [first, payload] : row.frames) {
        bytes += frame(masking, first, payload);
        boundaries.push_back(bytes.size());
      }
      INFO(row.what << (masking == Masking::required ? " from a client" : " from a server"));
      const auto check_end = [&](const FrameTracker& tracker) {
        return tracker.at_boundary() && tracker.problem() == Problem::none &&
               tracker.messages() == row.messages && tracker.closed() == row.closed;
      };
      FrameTracker whole(masking, false, 0);
      CHECK(whole.walk(bytes) == bytes.size());
      CHECK(check_end(whole));

      FrameTracker bytewise(masking, false, 0);
      auto next_boundary = boundaries.begin();
      bool right = true;
      for (std::size_t i = 0; i <= bytes.size(); ++i) {
        const bool boundary = i == *next_boundary;
        if (boundary && next_boundary + 1 != boundaries.end()) ++next_boundary;
        right = right && bytewise.at_boundary() == boundary;
        if (i < bytes.size()) right = right && bytewise.walk({&bytes[i], 1}) == 1;
      }
      CHECK(right);
      CHECK(check_end(bytewise));

      // Cut in two at every place near the beginnings of the frames.
      bool cuts_right = true;
      for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        if (cut > 300 && cut + 300 < bytes.size()) continue;
        FrameTracker tracker(masking, false, 0);
        cuts_right = cuts_right && tracker.walk({bytes.data(), cut}) == cut &&
                     tracker.walk({bytes.data() + cut, bytes.size() - cut}) == bytes.size() - cut &&
                     check_end(tracker);
      }
      CHECK(cuts_right);
    }
  }
}

TEST_CASE("Every frame that breaks a rule is stopped before its first byte, in both roles") {
  struct Row {
    const char* what;
    unsigned first;
    std::string payload;
    const char* detail;
    Form form = Form::shortest;
    bool extensions = false;
    bool in_message = false;
  };
  std::vector<Row> table{
      {"RSV1", 0xc1, "a", "a frame with reserved bits that no extension defines"},
      {"RSV2", 0xa1, "a", "a frame with reserved bits that no extension defines"},
      {"RSV3", 0x91, "a", "a frame with reserved bits that no extension defines"},
      {"RSV1 on a ping", 0xc9, "a", "a frame with reserved bits that no extension defines", Form::shortest,
       true},
      {"fragmented ping", 0x09, "a", "a fragmented control frame"},
      {"fragmented close", 0x08, "", "a fragmented control frame"},
      {"ping of 126", 0x89, std::string(126, 'p'), "a control frame with more than 125 bytes"},
      {"ping in 16 bits", 0x89, "a", "a control frame with more than 125 bytes", Form::in16},
      {"125 in 16 bits", 0x82, std::string(125, 'b'), "a frame whose length is not in its shortest form",
       Form::in16},
      {"0 in 64 bits", 0x82, "", "a frame whose length is not in its shortest form", Form::in64},
      {"65535 in 64 bits", 0x82, std::string(65535, 'b'), "a frame whose length is not in its shortest form",
       Form::in64},
      {"continuation first", 0x80, "a", "a continuation frame without a message"},
      {"text in a message", 0x81, "a", "a new message inside a fragmented one", Form::shortest, false, true},
      {"close of one byte", 0x88, "a", "a Close frame with one byte of payload"},
  };
  for (const unsigned opcode : {3u, 4u, 5u, 6u, 7u, 11u, 12u, 13u, 14u, 15u}) {
    table.push_back({"unknown opcode", 0x80u | opcode, "a", "a frame with an unknown opcode"});
  }
  for (const unsigned bad : {0u, 999u, 1004u, 1005u, 1006u, 1015u, 1016u, 2999u, 5000u, 65535u}) {
    table.push_back(
        {"bad close code", 0x88, code(bad) + "why", "a Close frame with a code that must not be sent"});
  }
  for (const Masking masking : {Masking::required, Masking::forbidden}) {
    for (const Row& row : table) {
      INFO(row.what << " " << row.payload.substr(0, 5));
      const std::string good = frame(masking, row.in_message ? 0x01 : 0x81, "fine");
      const std::string bad = frame(masking, row.first, row.payload, row.form);

      FrameTracker whole(masking, row.extensions, 0);
      CHECK(whole.walk(good + bad + good) == good.size());
      CHECK(whole.problem() == Problem::protocol);
      CHECK(whole.problem_detail() == row.detail);
      CHECK(whole.at_boundary());
      CHECK(whole.walk(good) == 0);
      CHECK_FALSE(whole.closed());

      FrameTracker bytewise(masking, row.extensions, 0);
      const std::string bytes = good + bad + good;
      std::size_t walked = 0;
      while (walked < bytes.size() && bytewise.walk({&bytes[walked], 1}) == 1) ++walked;
      CHECK(walked >= good.size());
      CHECK(walked < good.size() + bad.size());
      CHECK(bytewise.problem_detail() == row.detail);
      CHECK(bytewise.at_boundary() == (walked == good.size()));
    }
  }
}

TEST_CASE("A frame with the wrong masking is a violation") {
  FrameTracker client(Masking::required, false, 0);
  CHECK(client.walk(frame(Masking::forbidden, 0x81, "a")) == 0);
  CHECK(client.problem_detail() == "an unmasked frame from a client");
  FrameTracker server(Masking::forbidden, false, 0);
  CHECK(server.walk(frame(Masking::required, 0x81, "a")) == 0);
  CHECK(server.problem_detail() == "a masked frame from a server");
}

TEST_CASE("A length with the top bit set is a violation") {
  FrameTracker tracker(Masking::forbidden, false, 0);
  CHECK(tracker.walk("\x82\x7f\x80\0\0\0\0\0\0\0"s) == 0);
  CHECK(tracker.problem_detail() == "a frame length with the top bit set");
  FrameTracker longest(Masking::forbidden, false, 0);
  CHECK(longest.walk("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"s) == 10);
  CHECK(longest.problem() == Problem::none);
  CHECK_FALSE(longest.at_boundary());
}

TEST_CASE("Reserved bits pass where an extension was negotiated") {
  FrameTracker tracker(Masking::forbidden, true, 0);
  const std::string bytes = frame(Masking::forbidden, 0xc1, "zip") + frame(Masking::forbidden, 0x41, "z") +
                            frame(Masking::forbidden, 0x80, "ip");
  CHECK(tracker.walk(bytes) == bytes.size());
  CHECK(tracker.messages() == 2);
}

TEST_CASE("A message over the limit is stopped at the frame that exceeds it") {
  const auto f = [](unsigned first, std::size_t size) {
    return frame(Masking::required, first, std::string(size, 'x'));
  };
  const auto walk = [](const std::string& bytes) {
    FrameTracker tracker(Masking::required, false, 100);
    const auto walked = tracker.walk(bytes);
    return tracker.problem() == Problem::too_big ? "too big after " + std::to_string(walked) : "fine"s;
  };
  CHECK(walk(f(0x82, 100) + f(0x82, 100)) == "fine");
  CHECK(walk(f(0x82, 101)) == "too big after 0");
  CHECK(walk(f(0x02, 60) + f(0x89, 100) + f(0x80, 40)) == "fine");
  CHECK(walk(f(0x02, 60) + f(0x80, 40) + f(0x02, 60) + f(0x80, 40)) == "fine");  // each counts for itself
  CHECK(walk(f(0x02, 60) + f(0x89, 100) + f(0x80, 41)) == "too big after " + std::to_string(66 + 106));
  FrameTracker huge(Masking::forbidden, false, 100);
  CHECK(huge.walk("\x02\x32" + std::string(50, 'x') + "\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"s) == 52);
  CHECK(huge.problem() == Problem::too_big);
}

TEST_CASE("Nothing is walked after a Close, whose code is known") {
  for (const Masking masking : {Masking::required, Masking::forbidden}) {
    FrameTracker tracker(masking, false, 0);
    const std::string close = frame(masking, 0x88, code(1012) + "restart");
    CHECK(tracker.close_code() == close_code::kNone);
    CHECK(tracker.walk(close + frame(masking, 0x81, "late")) == close.size());
    CHECK(tracker.closed());
    CHECK(tracker.close_code() == 1012);
    CHECK(tracker.close_reason(close) == "restart");
    CHECK(tracker.close_reason(std::string_view(close).substr(close.size() - 3)).empty());
    CHECK(tracker.at_boundary());
    CHECK(tracker.walk(frame(masking, 0x81, "late")) == 0);
    CHECK(tracker.messages() == 0);
  }
  FrameTracker without(Masking::forbidden, false, 0);
  without.walk(frame(Masking::forbidden, 0x88, ""));
  CHECK(without.close_code() == close_code::kNone);
  CHECK(without.close_reason({}).empty());
}

TEST_CASE("Every close code that may be sent passes") {
  for (const unsigned good :
       {1000u, 1001u, 1002u, 1003u, 1007u, 1008u, 1011u, 1012u, 1013u, 1014u, 3000u, 4999u}) {
    FrameTracker tracker(Masking::required, false, 0);
    tracker.walk(frame(Masking::required, 0x88, code(good)));
    CHECK(tracker.closed());
    CHECK(tracker.close_code() == good);
  }
}

TEST_CASE("A Pong can be told apart by its payload and stopped at") {
  const std::string data = frame(Masking::required, 0x81, "x");
  const std::string pong = frame(Masking::required, 0x8a, "ours");
  const std::string bytes = data + pong + data;
  FrameTracker tracker(Masking::required, false, 0);
  tracker.stop_before_pong(true);
  CHECK(tracker.walk(bytes) == data.size());
  CHECK(tracker.at_boundary());
  const auto rest = bytes.substr(data.size());
  CHECK(pong_size(rest, "ours") == pong.size());
  CHECK(tracker.walk(rest) == rest.size());

  CHECK(pong_size(rest, "oura") == 0);
  CHECK(pong_size(rest, "our") == 0);
  CHECK(pong_size(bytes, "ours") == 0);
  for (std::size_t cut = 0; cut < pong.size(); ++cut) CHECK(pong_size(pong.substr(0, cut), "ours") == 0);
  CHECK(pong_size(frame(Masking::forbidden, 0x8a, "ours"), "ours") == 6);
}

TEST_CASE("Control frames of ours are what the RFC asks for") {
  CHECK(text_of(make_close(1001, "going away")) ==
        frame(Masking::forbidden, 0x88, code(1001) + "going away"));
  CHECK(text_of(make_close(1001, "going away", kKey)) ==
        frame(Masking::required, 0x88, code(1001) + "going away"));
  CHECK(text_of(make_close(close_code::kNone, "unused")) == frame(Masking::forbidden, 0x88, ""));
  CHECK(text_of(make_ping("abc")) == frame(Masking::forbidden, 0x89, "abc"));
  CHECK(text_of(make_ping("abc", kKey)) == frame(Masking::required, 0x89, "abc"));
  CHECK(text_of(make_close(1011, std::string(200, 'r'), kKey)) ==
        frame(Masking::required, 0x88, code(1011) + std::string(123, 'r')));
  // 122 letters and a character of two bytes: 124, one too many.
  CHECK(text_of(make_close(1011, std::string(122, 'r') + "\xc3\xa4")) ==
        frame(Masking::forbidden, 0x88, code(1011) + std::string(122, 'r')));
}

TEST_CASE("A client's text frame takes each form of length") {
  for (const std::size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u}) {
    const std::string payload(size, 't');
    CHECK((make_client_text(payload, kKey) == frame(Masking::required, 0x81, payload)));
  }
}

TEST_CASE("A reader assembles a server's frames, however they are sliced") {
  const std::string bytes = frame(Masking::forbidden, 0x01, "Hel") + frame(Masking::forbidden, 0x8a, "") +
                            frame(Masking::forbidden, 0x80, std::string(300, 'l')) +
                            frame(Masking::forbidden, 0x88, code(1000)) +
                            frame(Masking::forbidden, 0x81, "late");
  for (std::size_t slice = 1; slice <= bytes.size(); ++slice) {
    FrameReader reader(1000);
    std::string seen;
    for (std::size_t at = 0; at < bytes.size(); at += slice) {
      const std::string block = bytes.substr(at, slice);
      std::span<const char> input(block);
      while (reader.next(input) == FrameReader::Status::frame) {
        const auto& f = reader.frame();
        seen += std::to_string(static_cast<int>(f.opcode)) + (f.fin ? "!" : "+") +
                std::to_string(f.payload.size()) + " ";
      }
      if (!input.empty() || !reader.error().empty()) seen += "stuck";
    }
    if (seen != "1+3 10!0 0!300 8!2 ") CHECK(seen == "1+3 10!0 0!300 8!2 ");
  }
}

TEST_CASE("A reader refuses what a server must not send") {
  const auto error = [](const std::string& bytes) {
    FrameReader reader(100);
    std::span<const char> input(bytes);
    auto status = reader.next(input);
    while (status == FrameReader::Status::frame) status = reader.next(input);
    if (status != FrameReader::Status::error) return "none"s;
    CHECK(reader.next(input) == FrameReader::Status::error);
    return std::string(reader.error());
  };
  CHECK(error(frame(Masking::forbidden, 0x81, std::string(100, 'x'))) == "none");
  CHECK(error(frame(Masking::forbidden, 0x81, std::string(101, 'x'))) == "a frame larger than the limit");
  CHECK(error("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"s) == "a frame larger than the limit");
  CHECK(error(frame(Masking::required, 0x81, "x")) == "a masked frame from a server");
  CHECK(error(frame(Masking::forbidden, 0xc1, "x")) ==
        "a frame with reserved bits that no extension defines");
  CHECK(error(frame(Masking::forbidden, 0x80, "x")) == "a continuation frame without a message");
  CHECK(error(frame(Masking::forbidden, 0x88, code(1006))) ==
        "a Close frame with a code that must not be sent");
}
