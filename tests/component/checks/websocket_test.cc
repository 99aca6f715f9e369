#include <catch2/catch.hpp>

#include "loop/listen_socket.h"
#include "proto/ws_handshake.h"
#include "tests/component/checks/check_fixture.h"
#include "tests/support/test_tls.h"

namespace probegate::test {
namespace {

CheckPlan websocket_plan(const std::string& own_keys, const std::string& proxy = "{}") {
  return plan_of(checks::read_websocket, "websocket", own_keys, proxy);
}

std::string key_of(const std::string& request) {
  const std::string name = "Sec-WebSocket-Key: ";
  return request.substr(request.find(name) + name.size(), 24);
}

std::string switching(const std::string& request, const std::string& extra = "") {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
         "Upgrade\r\nSec-WebSocket-Accept: " +
         proto::websocket_accept(key_of(request)) + "\r\n" + extra + "\r\n";
}

// A frame as a server sends it, payload below 126 bytes.
std::string frame(char first, const std::string& payload) {
  return std::string(1, first) + static_cast<char>(payload.size()) + payload;
}

constexpr char kText = '\x81', kClose = '\x88', kPong = '\x8a';

// A WebSocket server for one client at a time that reads what the check really sends. Its habits are the
// test's.
class WsPeer final : private loop::StreamObserver {
 public:
  std::function<std::string(const std::string& request)> on_request = [](const auto& r) {
    return switching(r);
  };
  std::function<std::string(const std::string& payload)> on_ping = [](const auto& p) {
    return frame(kPong, p);
  };
  std::function<std::string(const std::string& text)> on_text = [](const auto&) { return std::string(); };
  std::function<std::string(const std::string& payload)> on_close = [](const auto& p) {
    return frame(kClose, p);
  };
  bool hang_up_after_head = false;

  const Endpoint& endpoint() const { return socket_.endpoint(); }

  std::string request;
  std::vector<std::string> closes;  // payloads
  bool every_frame_masked = true;
  int clients = 0;
  bool client_gone = false;

  WsPeer(loop::Loop& loop, const Endpoint& endpoint)
      : socket_(*loop::ListenSocket::bind(endpoint)),
        listener_(loop, *socket_.duplicate(), endpoint.is_unix(), [this](loop::Stream stream) {
          ++clients;
          stream_ = std::move(stream);
          unread_.clear();
          upgraded_ = client_gone = false;
          stream_.set_observer(*this);
          stream_.read_start();
        }) {}

 private:
  void on_data(std::span<const char> bytes) override {
    unread_.append(bytes.data(), bytes.size());
    if (!upgraded_) {
      const auto end = unread_.find("\r\n\r\n");
      if (end == std::string::npos) return;
      request = unread_.substr(0, end + 4);
      unread_.erase(0, end + 4);
      upgraded_ = true;
      say(on_request(request));
      if (hang_up_after_head) return stream_.close();
    }
    while (stream_.is_open() && read_frame()) {
    }
  }
  void on_end() override {
    client_gone = true;
    stream_.close();
  }
  void on_lost(int) override {
    client_gone = true;
    stream_.close();
  }

  bool read_frame() {
    if (unread_.size() < 6) return false;
    const auto size = static_cast<std::size_t>(unread_[1] & 0x7f);
    if (unread_.size() < 6 + size) return false;
    every_frame_masked = every_frame_masked && (unread_[1] & 0x80) != 0;
    std::string payload = unread_.substr(6, size);
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(payload[i] ^ unread_[2 + i % 4]);
    const int opcode = unread_[0] & 0x0f;
    unread_.erase(0, 6 + size);
    if (opcode == 9) say(on_ping(payload));
    if (opcode == 1) say(on_text(payload));
    if (opcode == 8) {
      closes.push_back(payload);
      say(on_close(payload));
    }
    return true;
  }
  void say(const std::string& bytes) {
    if (!bytes.empty()) REQUIRE(stream_.write(bytes));
  }

  loop::ListenSocket socket_;
  loop::Stream stream_;
  std::string unread_;
  bool upgraded_ = false;
  loop::Listener listener_;
};

struct Bench {
  std::uint16_t port = closed_port();
  CheckUnderTest check;
  WsPeer peer{check.loop, Endpoint::tcp("127.0.0.1", port)};

  explicit Bench(const std::string& more_keys = "")
      : check(websocket_plan("url: 'ws://127.0.0.1:" + std::to_string(port) + "/ws?x=1'" + more_keys)) {}
};

const std::string kNormal = {'\x03', '\xe8'};  // 1000

}  // namespace

TEST_CASE("WebSocket check shakes hands, pings, and closes with 1000") {
  Bench bench;
  CHECK(text(bench.check.attempt()) == "pass");
  REQUIRE(bench.check.loop.until([&] { return bench.peer.client_gone; }));
  CHECK(bench.peer.request.find("GET /ws?x=1 HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(bench.port)) ==
        0);
  CHECK(bench.peer.request.find("\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos);
  CHECK(bench.peer.closes == std::vector<std::string>{kNormal});
  CHECK(bench.peer.every_frame_masked);
  CHECK(text(bench.check.attempt()) == "pass");
  CHECK(bench.peer.clients == 2);
  CHECK(bench.check.reports == 2);
}

TEST_CASE("WebSocket check leaves soon when its Close is not answered") {
  Bench bench;
  bench.peer.on_close = [](const auto&) { return std::string(); };
  CHECK(text(bench.check.attempt()) == "pass");
  CHECK_FALSE(bench.peer.client_gone);
  REQUIRE(bench.check.loop.until([&] { return bench.peer.client_gone; }, 3s));
  CHECK(bench.check.reports == 1);
}

TEST_CASE("WebSocket check sends its headers and subprotocols, and accepts one it offered") {
  Bench bench(
      ", headers: {Authorization: 'Bearer t0p-secret', Host: chat.example}, subprotocols: [chat.v2, "
      "chat.v1]");
  bench.peer.on_request = [](const auto& r) { return switching(r, "Sec-WebSocket-Protocol: chat.v1\r\n"); };
  CHECK(text(bench.check.attempt()) == "pass");
  CHECK(bench.peer.request.find("\r\nAuthorization: Bearer t0p-secret\r\n") != std::string::npos);
  CHECK(bench.peer.request.find("\r\nSec-WebSocket-Protocol: chat.v2, chat.v1\r\n") != std::string::npos);
  CHECK(bench.peer.request.find("Host: chat.example\r\n") != std::string::npos);
  CHECK(bench.peer.request.find("Host: 127") == std::string::npos);
}

TEST_CASE("WebSocket check sends a message and looks for its answer, in pieces too") {
  Bench bench(", ping: false, send: '{\"type\":\"hello\"}', expect: welcome");
  bench.peer.on_text = [](const auto& message) {
    return message == "{\"type\":\"hello\"}"
               ? frame(kText, "not yet") + frame('\x01', "you are wel") + frame('\x80', "come")
               : std::string();
  };
  CHECK(text(bench.check.attempt()) == "pass");
}

TEST_CASE("WebSocket check waits for both Pong and message") {
  Bench bench(", expect: ready");
  bench.peer.on_request = [](const auto& r) {
    return switching(r) + frame(kText, "ready");
  };  // glued to the head
  bench.peer.on_ping = [](const auto&) { return frame(kPong, "another one") + frame(kText, "noise"); };
  bench.check.start();
  bench.check.loop.run_for(50ms);
  CHECK_FALSE(bench.check.result.has_value());
  CHECK(std::string(bench.check.check->phase()) == "waiting for the Pong");
  bench.peer.on_ping = [](const auto& payload) { return frame(kPong, payload); };
  bench.check.remake();
  CHECK(text(bench.check.attempt()) == "pass");
}

TEST_CASE("WebSocket check says what the backend answered instead of 101, who that is, and what helps") {
  const std::pair<std::string, std::string> cases[] = {
      {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
       "auth: answered 403 to the upgrade, expected 101; URL"},
      {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nno cookie",
       "auth: answered 401 to the upgrade, expected 101; URL said \"no cookie\""},
      {"HTTP/1.1 200 OK\r\n\r\nhello",
       "answer: answered 200 to the upgrade, expected 101; URL said \"hello\""},
      {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 Nope\r\nTransfer-Encoding: "
       "chunked\r\n\r\n2\r\nwa\r\n2\r\nit\r\n0\r\n\r\n",
       "answer: answered 503 to the upgrade, expected 101; URL said \"wait\""},
      {"HTTP/1.1 503 Nope\r\nProbegate-Reason: gate_closed\r\nContent-Length: 0\r\n\r\n",
       "answer: answered 503 to the upgrade, expected 101 (Probegate-Reason: gate_closed); URL"},
      {"HTTP/1.1 301 There\r\nLocation: /ws/\r\nContent-Length: 0\r\n\r\n",
       "answer: answered 301 to the upgrade, expected 101, redirects to /ws/; URL"},
  };
  for (const auto& [answer, expected] : cases) {
    Bench bench;
    bench.peer.on_request = [&answer = answer](const auto&) { return answer; };
    bench.peer.hang_up_after_head = answer.find("200 OK") != std::string::npos;
    auto said = text(bench.check.attempt());
    const std::string url = "ws://127.0.0.1:" + std::to_string(bench.port) + "/ws";
    REQUIRE(said.find(url) != std::string::npos);
    said.replace(said.find(url), url.size(), "URL");
    CHECK(said == expected + "; see headers, subprotocols and expect_status");
  }
}

TEST_CASE("WebSocket check passes with another status that is expected") {
  for (const int status : {401, 403, 101}) {
    Bench bench(", expect_status: [101, 401-403]");
    bench.peer.on_request = [&](const auto& r) {
      return status == 101 ? switching(r)
                           : "HTTP/1.1 " + std::to_string(status) + " No\r\nContent-Length: 0\r\n\r\n";
    };
    CHECK(text(bench.check.attempt()) == "pass");
  }
}

TEST_CASE("WebSocket check says protocol when the handshake or a frame is wrong") {
  const std::function<std::string(const std::string&)> answers[] = {
      [](const auto&) { return std::string("+PONG\r\n\r\n"); },
      [](const auto&) { return switching("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="); },
      [](const auto& r) { return switching(r, "Sec-WebSocket-Protocol: never-offered\r\n"); },
      [](const auto& r) { return switching(r) + "\xff\xff\xff\xff"; },
      [](const auto& r) { return switching(r) + std::string("\x81\x83mask123", 9); },
  };
  for (const auto& answer : answers) {
    Bench bench;
    bench.peer.on_request = answer;
    const auto result = bench.check.attempt();
    INFO(text(result));
    CHECK(result.error->kind == FailKind::protocol);
  }
}

TEST_CASE("WebSocket check says how the backend ended the conversation") {
  Bench closes;
  closes.peer.on_ping = [](const auto&) { return frame(kClose, std::string("\x03\xf0") + "policy"); };
  CHECK(text(closes.check.attempt()) ==
        "answer: closed with code 1008 \"policy\" while we were waiting for the Pong");
  Bench hangs_up;
  hangs_up.peer.hang_up_after_head = true;
  CHECK(hangs_up.check.attempt().verdict == Verdict::fail);
}

TEST_CASE("WebSocket check says connect when nobody listens") {
  CheckUnderTest check(websocket_plan("url: 'ws://127.0.0.1:" + std::to_string(closed_port()) + "/'"));
  CHECK(check.attempt().error->kind == FailKind::connect);
}

TEST_CASE("WebSocket check takes a path alone as one on the backend, also over a unix socket") {
  std::string directory = "/tmp/probegate-ws-XXXXXX";
  REQUIRE(mkdtemp(directory.data()) != nullptr);
  const auto endpoint = Endpoint::unix_socket(directory + "/backend.sock");
  {
    CheckUnderTest check(websocket_plan("url: /chat/ws", "{backend: 'unix:" + endpoint.path + "'}"));
    WsPeer peer(check.loop, endpoint);
    CHECK(text(check.attempt()) == "pass");
    CHECK(peer.request.find("GET /chat/ws HTTP/1.1\r\nHost: ") == 0);
  }
  REQUIRE(rmdir(directory.c_str()) == 0);
}

TEST_CASE("WebSocket check speaks TLS for wss") {
  const auto port = closed_port();
  Authority ca("websocket");
  const auto ask = [&](const std::string& tls) {
    CheckUnderTest check(
        websocket_plan("url: 'wss://localhost:" + std::to_string(port) + "/ws', tls: " + tls));
    WsPeer peer(check.loop, Endpoint::tcp("127.0.0.1", closed_port()));
    TlsFront front(*check.loop, ca.issue(), peer.endpoint(), TLS1_3_VERSION,
                   Endpoint::tcp("127.0.0.1", port));
    return check.attempt();
  };
  CHECK(text(ask("{ca_file: " + ca.file() + "}")) == "pass");
  CHECK(ask("{ca_file: " + ca.file() + ", min_days_left: 60}").verdict == Verdict::warn);
  CHECK(ask("{}").error->kind == FailKind::tls);
}

TEST_CASE("WebSocket check tells what is wrong with its configuration") {
  check_mistakes(checks::read_websocket, "websocket",
                 {
                     {"ping: true", "url: is missing"},
                     {"url: 'http://host/ws'", "must start with ws://, wss:// or /"},
                     {"url: 'ws://app:t0p-secret@host/ws'", "use headers"},
                     {"url: 'ws://host/ws', headers: {Upgrade: h2c}", "is part of the handshake"},
                     {"url: 'ws://host/ws', subprotocols: ['two words']", "is not a valid subprotocol name"},
                     {"url: 'ws://host/ws', expect_status: [99]", "neither a status"},
                     {"url: 'ws://host/ws', expect_status: []", "allows no status"},
                     {"url: 'ws://host/ws', expect_status: [401], expect: welcome", "need status 101"},
                 });
}

}  // namespace probegate::test
