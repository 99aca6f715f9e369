// HTTP through the proxy: what passes, byte for byte where it must, and how connections go on or end.
#include <catch2/catch.hpp>
#include <cstdio>

#include "exchange.h"
#include "http_messages.h"
#include "support/fake_peer.h"

namespace probegate::test {
namespace {

std::string chunked(const std::string& body, std::size_t piece) {
  std::string out;
  for (std::size_t at = 0; at < body.size(); at += piece) {
    const auto part = body.substr(at, piece);
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", part.size());
    out.append(size).append(part).append("\r\n");
  }
  return out + "0\r\n\r\n";
}

}  // namespace

TEST_CASE("An answer reaches the client as its framing says") {
  struct Row {
    std::string name, request, answer;
    bool backend_closes;
    int status;
    std::string body;
    bool keeps_alive;
    std::function<void(const Answer&)> more = [](const Answer&) {};
  };
  const std::string get10 = "GET / HTTP/1.0\r\n\r\n";
  const auto no_body_fields = [](const Answer& a) {
    CHECK_FALSE(a.has("transfer-encoding"));
    CHECK_FALSE(a.has("content-length"));
  };
  const auto length_kept = [](const Answer& a) { CHECK(a.get("content-length") == "5"); };
  const std::vector<Row> rows = {
      {"length", kGet, kOk, false, 200, "ok", true},
      {"length zero", kGet, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200, "", true},
      {"chunked stays chunked", kGet,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", false,
       200, "abcde", true, [](const Answer& a) { CHECK(a.chunked); }},
      {"trailers", request("GET", "TE: trailers\r\n"),
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: "
       "1\r\n\r\n",
       false, 200, "abc", true,
       [](const Answer& a) {
         CHECK(a.trailers == "X-Sum: 1\r\n");
         CHECK(a.get("trailer") == "X-Sum");
       }},
      {"until close", kGet, "HTTP/1.1 200 OK\r\n\r\nall of it", true, 200, "all of it", false},
      {"HEAD", request("HEAD"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, "", true,
       length_kept},
      {"HEAD, chunked", request("HEAD"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, 200,
       "", true},
      {"204", kGet, "HTTP/1.1 204 No Content\r\n\r\n", false, 204, "", true, no_body_fields},
      {"304", kGet, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, 304, "", true,
       length_kept},
      {"an unknown status", kGet, "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok", false, 299, "ok", true},
      {"HTTP/1.0 client, length", get10, kOk, false, 200, "ok", false},
      {"HTTP/1.0 client, keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", kOk, false, 200,
       "ok", true},
      {"HTTP/1.0 client, chunked", get10,
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", false, 200,
       "abcde", false, no_body_fields},
      {"HTTP/1.0 client, keep-alive, chunked", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", false, 200,
       "abc", false},
      {"HTTP/1.0 backend", kGet, "HTTP/1.0 200 OK\r\n\r\nall of it", true, 200, "all of it", false},
      {"client asks to close", request("GET", "Connection: close\r\n"), kOk, false, 200, "ok", false},
      {"backend closes", kGet, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", true,
       200, "ok", true},
  };
  const bool bytewise = GENERATE(false, true);
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name << (bytewise ? ", in single bytes" : "")) {
      TestLoop loop;
      Script script{expect("\r\n\r\n"), bytewise ? send_bytewise(row.answer) : send(row.answer)};
      if (row.backend_closes) script.push_back(half_close());
      FakePeer backend(loop, script);
      ProxyFixture proxy(loop, backend.endpoint());
      FakeClient client(loop, proxy.endpoint(), row.request);
      const Answer answer = next_answer(loop, client, row.request.starts_with("HEAD"));
      CHECK(answer.status == row.status);
      CHECK(answer.body == row.body);
      CHECK(answer.get("connection") == (row.keeps_alive ? "keep-alive" : "close"));
      CHECK(answer.get("via") == (row.answer.starts_with("HTTP/1.0") ? "1.0 " : "1.1 ") + proxy.instance());
      row.more(answer);
      CHECK(proxy.metrics().requests.value(row.status) == 1);
      if (!row.keeps_alive) CHECK(loop.until([&] { return client.ended(); }));
      loop.settle();
      CHECK(client.ended() == !row.keeps_alive);
      CHECK(client.received().empty());
    }
  }
}

TEST_CASE("An answer that is broken before a byte of it has gone becomes a whole 502") {
  const std::string body = GENERATE("zz\r\n", "3\r\nabc\r\nzz\r\n", "2 \r\nhi\r\n0\r\n\r\n");
  Asked asked;
  asked.server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body);
  const Answer answer = next_answer(asked.loop, asked.client);
  CHECK(answer.status == 502);
  CHECK(answer.get("probegate-reason") == "backend_error");
}

TEST_CASE("A truncated answer is seen to be truncated") {
  struct Row {
    std::string name, request, answer;
    bool by_reset;  // the backend's end
    bool reset_to_client;
  };
  const std::string get10 = "GET / HTTP/1.0\r\n\r\n";
  const std::vector<Row> rows = {
      {"length", kGet, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", false, false},
      {"length, RST", kGet, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", true, false},
      {"chunk", kGet, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", false, false},
      {"between chunks", kGet, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", false,
       false},
      {"before the end of trailers that were asked for", "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n", false, false},
      {"until close, RST", kGet, "HTTP/1.1 200 OK\r\n\r\nabc", true, true},
      {"chunk, to an HTTP/1.0 client", get10, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
       false, true},
      {"length, to an HTTP/1.0 client", get10, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", false,
       false},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) {
      TestLoop loop;
      LiveBackend backend(loop);
      ProxyFixture proxy(loop, backend.endpoint());
      FakeClient client(loop, proxy.endpoint(), row.request);
      Wire& server = backend.await_request();
      server.send(row.answer);
      REQUIRE(
          loop.until([&] { return client.received().find("abc") != std::string::npos || client.gone(); }));
      if (row.by_reset) {
        server.reset();
      } else {
        server.half_close();
      }
      REQUIRE(loop.until([&] { return client.gone(); }));
      CHECK(client.lost() == row.reset_to_client);
      std::string bytes = client.take();
      CHECK_FALSE((take_answer(bytes, true).has_value() && !row.reset_to_client));
      CHECK(proxy.metrics().refused[metrics::Reason::backend_error].value() == 0);
    }
  }
}

TEST_CASE("Requests pipelined on one connection are answered in order, late answers included") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  std::string all;
  for (int i = 0; i < 5; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: example\r\n\r\n";
  FakeClient client(loop, proxy.endpoint(), all.substr(0, all.size() - 10));
  Wire& server = backend.await();
  for (int i = 0; i < 5; ++i) {
    const std::string path = "/" + std::to_string(i);
    if (i == 4) client.send(all.substr(all.size() - 10));
    REQUIRE(loop.until([&] { return server.received().ends_with("\r\n\r\n"); }));
    CHECK(server.take().starts_with("GET " + path + " "));
    if (i == 1) loop.run_for(30ms);
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + path);
    CHECK(next_answer(loop, client).body == path);
  }
  CHECK(backend.connections() == 1);
}

TEST_CASE("A client that ends its side after whole requests gets every answer where half_close is serve") {
  TestLoop loop;
  FakePeer backend(loop, {expect("\r\n\r\n"), send(kOk), expect("\r\n\r\n"), send(kOk)});
  ProxyFixture proxy(loop, backend.endpoint(), [](config::Config& c) { c.proxy.serve_half_closed = true; });
  FakeClient client(loop, proxy.endpoint(), kGet + kGet);
  client.half_close();
  CHECK(next_answer(loop, client).status == 200);
  CHECK(next_answer(loop, client).status == 200);
  CHECK(loop.until([&] { return client.ended(); }));
}

TEST_CASE("Bodies of requests pass byte for byte, and the connection goes on behind them") {
  struct Row {
    std::string name, fields, body;
  };
  const std::string large = pattern(3'000'000);
  const std::vector<Row> rows = {
      {"length", "Content-Length: 5\r\n", "hello"},
      {"length zero", "Content-Length: 0\r\n", ""},
      {"large", "Content-Length: 3000000\r\n", large},
      {"chunked", "Transfer-Encoding: chunked\r\n", "5;a=b\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"},
      {"chunked with trailers", "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n",
       "5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n"},
      {"large and chunked", "Transfer-Encoding: chunked\r\n", chunked(large, 40'000)},
      {"many small chunks", "Transfer-Encoding: chunked\r\n", chunked(large.substr(0, 20'000), 3)},
  };
  const bool glued = GENERATE(true, false);
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name << (glued ? "" : ", behind the head")) {
      TestLoop loop;
      LiveBackend backend(loop);
      ProxyFixture proxy(loop, backend.endpoint());
      FakeClient client(loop, proxy.endpoint());
      const std::string head = request("POST", row.fields);
      if (glued) {
        client.send(head + row.body + kGet);
      } else {
        client.send(head);
        loop.settle();
        client.send(row.body);
      }
      Wire& server = backend.await();
      std::string got;
      REQUIRE(loop.until(
          [&] {
            got += server.take();
            const auto end = got.find("\r\n\r\n");
            return end != std::string::npos && got.size() >= end + 4 + row.body.size();
          },
          30s));
      const auto end = got.find("\r\n\r\n") + 4;
      CHECK(got.substr(end) == row.body);
      const std::string framing = row.fields.substr(0, row.fields.find("\r\n"));
      CHECK(has_line(got.substr(0, end), framing));
      server.send(kOk);
      CHECK(next_answer(loop, client).status == 200);
      if (!glued) client.send(kGet);
      REQUIRE(loop.until([&] { return server.received().ends_with("\r\n\r\n"); }));
      CHECK(server.take().starts_with("GET / "));
      server.send(kOk);
      CHECK(next_answer(loop, client).status == 200);
      CHECK(backend.connections() == 1);
    }
  }
}

TEST_CASE("Large answers pass byte for byte") {
  const std::string large = pattern(5'000'000);
  const bool in_chunks = GENERATE(false, true);
  TestLoop loop;
  FakePeer backend(
      loop, {expect("\r\n\r\n"),
             send(in_chunks ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(large, 50'000)
                            : "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + large),
             expect("\r\n\r\n"), send(kOk)});
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint(), kGet);
  CHECK(next_answer(loop, client, false, 30s).body == large);
  client.send(kGet);
  CHECK(next_answer(loop, client).body == "ok");
  CHECK(backend.connections() == 1);
}

TEST_CASE("What is for one hop stays on it, and who asked is passed on") {
  struct Row {
    std::string name;
    bool trusted;
    std::string fields;
    std::vector<std::string> lines, missing;  // in the backend's head
  };
  const std::vector<Row> rows = {
      {"plain",
       false,
       "",
       {"Host: example", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http",
        "X-Forwarded-Host: example"},
       {"Connection: "}},
      {"hop-by-hop",
       false,
       "Connection: keep-alive, X-Private\r\nKeep-Alive: timeout=5\r\nX-Private: 1\r\nProxy-Connection: "
       "x\r\nTE: gzip\r\n"
       "X-Public: 2\r\n",
       {"X-Public: 2"},
       {"X-Private", "Keep-Alive", "Proxy-Connection", "TE:", "Connection:"}},
      {"a stranger's X-Forwarded",
       false,
       "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n",
       {"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: example"},
       {"6.6.6.6", "evil", "https"}},
      {"a trusted X-Forwarded",
       true,
       "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: front\r\n",
       {"X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: front"},
       {}},
      {"Forwarded and trace",
       false,
       "Forwarded: for=6.6.6.6\r\ntraceparent: 00-a-b-01\r\nVia: 1.1 edge\r\n",
       {"Forwarded: for=6.6.6.6", "traceparent: 00-a-b-01", "Via: 1.1 edge"},
       {}},
      {"a request id of its own", false, "X-Request-Id: abc\r\n", {"X-Request-Id: abc"}, {}},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) {
      TestLoop loop;
      FakePeer backend(loop, {expect("\r\n\r\n"), send(kOk)});
      ProxyFixture proxy(loop, backend.endpoint(), [&](config::Config& c) {
        if (row.trusted) c.proxy.trust.networks = {config::Cidr{"127.0.0.0/8", false, {127}, 8}};
      });
      FakeClient client(loop, proxy.endpoint(), request("GET", row.fields));
      CHECK(next_answer(loop, client).status == 200);
      const std::string head = backend.client(0).received;
      INFO(head);
      CHECK(head.starts_with("GET /path?q=1 HTTP/1.1\r\n"));
      for (const auto& line : row.lines) CHECK(has_line(head, line));
      for (const auto& word : row.missing) CHECK(head.find(word) == std::string::npos);
      CHECK(head.find("\r\nX-Request-Id: ") != std::string::npos);
      CHECK(has_line(head, "Via: 1.1 " + proxy.instance()));
    }
  }
}

TEST_CASE("A request whose own id does not go on gets one") {
  const std::string fields =
      GENERATE("X-Request-Id: \r\n", "Connection: X-Request-Id\r\nX-Request-Id: mine\r\n");
  TestLoop loop;
  FakePeer backend(loop, {expect("\r\n\r\n"), send(kOk)});
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint(), "GET / HTTP/1.1\r\nHost: example\r\n" + fields + "\r\n");
  next_answer(loop, client);
  const std::string head = backend.client(0).received, name = "X-Request-Id: ";
  REQUIRE(head.find(name) != std::string::npos);
  CHECK(head.find_first_not_of("0123456789abcdef", head.find(name) + name.size()) ==
        head.find(name) + name.size() + 32);
}

TEST_CASE("Each request without an id gets one of its own") {
  TestLoop loop;
  FakePeer backend(loop, {expect("\r\n\r\n"), send(kOk), expect("\r\n\r\n"), send(kOk)});
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint(), kGet + kGet);
  next_answer(loop, client);
  next_answer(loop, client);
  const std::string heads = backend.client(0).received, name = "X-Request-Id: ";
  const auto first = heads.find(name), second = heads.find(name, first + 1);
  REQUIRE(second != std::string::npos);
  CHECK(heads.substr(first + name.size(), 32) != heads.substr(second + name.size(), 32));
}

TEST_CASE("A unix socket carries both hops, and its clients are trusted and add no address") {
  const std::string base = "/tmp/probegate-proxy-" + std::to_string(::getpid());
  TestLoop loop;
  LiveBackend backend(loop, Endpoint::unix_socket(base + "-backend.sock"));
  ProxyFixture proxy(loop, backend.endpoint(), {}, open_gate(), Endpoint::unix_socket(base + ".sock"));
  FakeClient client(loop, proxy.endpoint(), request("GET", "X-Forwarded-For: 6.6.6.6\r\n"));
  Wire& server = backend.await_request();
  CHECK(has_line(server.received(), "X-Forwarded-For: 6.6.6.6"));
  server.send(kOk);
  CHECK(next_answer(loop, client).status == 200);
}

}  // namespace probegate::test
