// A client that leaves before it has its answer, in each state of its request, and what half_close makes of
// one that only ends its sending side.
#include <catch2/catch.hpp>

#include "exchange.h"
#include "http_messages.h"
#include "open_tunnel.h"

namespace probegate::test {
namespace {

void serve_half_closed(config::Config& c) { c.proxy.serve_half_closed = true; }

const std::string kStream =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n:\n\r\n";

struct Waiting {
  std::string name, request, answer;  // what the backend has said when the client leaves
  std::string line;
};

const std::vector<Waiting> kWaiting = {
    {"GET", kGet, "", "GET / client left"},
    {"POST", request("POST", "Content-Length: 5\r\n", "hello"), "", "POST /path client left"},
    {"a chunked POST", request("POST", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), "",
     "POST /path client left"},
    {"an event stream", kGet, kStream, "GET / 200 client left"},
    {"half of an answer", kGet, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "GET / 200 client left"},
    {"an answer until the end", kGet, "HTTP/1.1 200 OK\r\n\r\nhalf", "GET / 200 client left"},
    {"an informational answer", kGet, "HTTP/1.1 103 Early Hints\r\n\r\n", "GET / client left"},
    {"a pipelined request behind it", kGet + kGet, "", "GET / client left"},
    {"a pipelined request behind a stream", kGet + kGet, kStream, "GET / 200 client left"},
    {"a body under way", request("POST", "Content-Length: 500\r\n", "hello"), "", "POST /path client left"},
    {"an upgrade", kUpgrade, "", "GET /chat client left"},
};

}  // namespace

TEST_CASE("A client that leaves takes its request along, whatever it waits for") {
  const std::string how = GENERATE("FIN", "half-close", "RST");
  for (const Waiting& row : kWaiting) {
    DYNAMIC_SECTION(row.name << ", " << how) {
      TestLoop loop;
      LiveBackend backend(loop);
      ProxyFixture proxy(loop, backend.endpoint());
      FakeClient client(loop, proxy.endpoint(), row.request);
      Wire& server = backend.await_request();
      if (!row.answer.empty()) {
        server.send(row.answer);
        REQUIRE(loop.until([&] { return !client.received().empty(); }));
      }
      CHECK(proxy.connections() == 1);
      if (how == "FIN") client.close();
      if (how == "half-close") client.half_close();
      if (how == "RST") client.reset();
      CHECK(loop.until([&] { return server.gone(); }));
      CHECK(loop.until([&] { return proxy.connections() == 0; }));
      CHECK(loop.until([&] { return proxy.log_lines(row.line).size() == 1; }));
      CHECK(backend.connections() == 1);
    }
  }
}

TEST_CASE("A client that leaves is noticed behind an answer that it does not read, with the backend paused") {
  TestLoop loop;
  LiveBackend backend(loop);
  const bool serve = GENERATE(false, true);
  ProxyFixture proxy(loop, backend.endpoint(), serve ? serve_half_closed : ProxyFixture::Tune{});
  FakeClient client(loop, proxy.endpoint(), kGet);
  Wire& server = backend.await_request();
  client.stop_reading();
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 64000000\r\n\r\n" + pattern(32 << 20));
  loop.run_for(200ms);
  REQUIRE_FALSE(server.sent());
  if (serve) {
    client.reset();
  } else {
    client.half_close();
  }
  CHECK(loop.until([&] { return server.gone(); }));
  CHECK(loop.until([&] { return proxy.connections() == 0; }));
}

TEST_CASE(
    "half_close: serve answers a client that has ended its sending side, and notices the reset behind it") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), serve_half_closed);
  FakeClient client(loop, proxy.endpoint(), kGet);
  Wire& server = backend.await_request();
  const bool streaming = GENERATE(false, true);
  if (streaming) {
    server.send(kStream);
    REQUIRE(loop.until([&] { return !client.received().empty(); }));
  }
  client.half_close();
  loop.run_for(100ms);
  REQUIRE_FALSE(server.gone());
  SECTION("it is answered") {
    server.send(streaming ? "0\r\n\r\n" : kOk);
    CHECK(next_answer(loop, client).status == 200);
    CHECK(loop.until([&] { return client.ended(); }));
  }
  SECTION("it is reset") {
    client.reset();
    CHECK(loop.until([&] { return server.gone(); }));
    CHECK(loop.until([&] { return proxy.connections() == 0; }));
    CHECK(loop.until(
        [&] { return !proxy.log_lines(streaming ? "GET / 200 client left" : "GET / client left").empty(); }));
  }
}

TEST_CASE("half_close: serve lets a body that waits in the socket arrive before its end") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), serve_half_closed);
  const std::string body = pattern(10 << 20);
  const std::string head = request("POST", "Content-Length: " + std::to_string(body.size()) + "\r\n");
  FakeClient client(loop, proxy.endpoint(), head);
  Wire& server = backend.await();
  server.stop_reading();
  client.send(body);
  client.half_close();
  loop.run_for(200ms);
  CHECK_FALSE(server.gone());
  server.read_on();
  REQUIRE(loop.until([&] { return server.received().size() >= head.size() + body.size(); }, 30s));
  CHECK(server.received().ends_with(body));
  server.send(kOk);
  CHECK(next_answer(loop, client).status == 200);
}

TEST_CASE("A backend on a unix socket is let go as well, and a client on one is noticed") {
  TestLoop loop;
  const std::string path = "/tmp/probegate-leaving-" + std::to_string(::getpid());
  LiveBackend backend(loop, Endpoint::unix_socket(path + "-backend.sock"));
  ProxyFixture proxy(loop, backend.endpoint(),
                     GENERATE(true, false) ? serve_half_closed : ProxyFixture::Tune{}, open_gate(),
                     Endpoint::unix_socket(path + "-proxy.sock"));
  FakeClient client(loop, proxy.endpoint(), kGet + kGet);
  Wire& server = backend.await_request();
  client.close();
  CHECK(loop.until([&] { return server.gone(); }));
  CHECK(loop.until([&] { return proxy.connections() == 0; }));
}

TEST_CASE("While a request is under way nothing more is read of its client") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  const std::string first = GENERATE(kUpgrade, kGet);
  FakeClient client(loop, proxy.endpoint(), first);
  backend.await_request();
  client.send(pattern(32 << 20));
  loop.run_for(300ms);
  CHECK_FALSE(client.sent());
  CHECK(client.queued() > (24u << 20));
}

namespace {

// The reader takes nothing more; the writer has sent so much that the proxy has stopped reading from it, and
// all of it has reached the proxy's socket.
void fill(OpenTunnel& tunnel, From writer) {
  tunnel.end(OpenTunnel::other(writer)).stop_reading();
  const auto& passed =
      tunnel.proxy.metrics().tunnel_bytes[writer == From::client ? metrics::Direction::client_to_backend
                                                                 : metrics::Direction::backend_to_client];
  std::uint64_t sent = 0, before = 1;
  tunnel.await(
      [&] {
        if (before == passed.value() && passed.value() < sent) return true;
        before = passed.value();
        const std::string piece = frame(writer, 0x82, std::string(60'000, 'x'));
        tunnel.end(writer).send(piece);
        sent += piece.size();
        tunnel.loop.run_for(5ms);
        return false;
      },
      "it goes on and on");
  tunnel.await([&] { return tunnel.end(writer).sent(); }, "it does not arrive");
}

}  // namespace

TEST_CASE("A peer that is lost while the other side of its tunnel is slow ends the tunnel") {
  const From writer = GENERATE(From::client, From::backend);
  const std::string how = GENERATE("RST", "FIN");
  OpenTunnel tunnel;
  fill(tunnel, writer);
  if (how == "RST") {
    tunnel.end(writer).reset();
  } else {
    tunnel.end(writer).close();
  }
  const auto report = tunnel.report();
  CHECK(report["cause"] == (writer == From::client ? "client_lost" : "backend_lost"));
  CHECK(tunnel.loop.until([&] { return tunnel.proxy.connections() == 0; }));
  CHECK(tunnel.proxy.metrics().tunnels.value() == 0);
}

TEST_CASE("What a peer left behind goes to a slow reader for as long as that takes any of it") {
  const From writer = GENERATE(From::client, From::backend);
  const bool with_close = GENERATE(true, false);
  OpenTunnel tunnel;
  Wire& reader = tunnel.end(OpenTunnel::other(writer));
  fill(tunnel, writer);
  const std::string close = with_close ? close_frame(writer, 3001) : "";
  tunnel.end(writer).send(close);
  tunnel.end(writer).half_close();
  tunnel.loop.run_for(500ms);
  reader.read_on();
  REQUIRE(tunnel.loop.until([&] { return reader.ended(); }, 30s));
  const auto frames = frames_in(reader.received());
  REQUIRE_FALSE(frames.empty());
  if (with_close) CHECK(frames.back() == (writer == From::client ? "M:close 3001" : "close 3001"));
  if (!with_close && writer == From::backend) CHECK(frames.back() == "close 1012");
  reader.half_close();
  tunnel.report();
}

TEST_CASE("A drain leaves a client no more than 2 s to answer its backend's Close") {
  VirtualTime time;
  OpenTunnel tunnel([](config::Config& c) { c.drain.timeout = 60s; });
  const bool drain_first = GENERATE(false, true);
  if (drain_first) {
    tunnel.proxy.publish(draining(health::Phase::lame_duck));
  } else {
    tunnel.server().send(close_frame(From::backend, 1001));
    REQUIRE(tunnel.sees(From::client, {"close 1001"}));
  }
  tunnel.proxy.publish(draining(health::Phase::closing));
  if (drain_first) tunnel.server().send(close_frame(From::backend, 1001));
  CHECK(tunnel.loop.until([&] { return tunnel.proxy.ended() == 1; }));
}

}  // namespace probegate::test
