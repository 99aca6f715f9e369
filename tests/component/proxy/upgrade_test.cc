// The opening handshake, verified on both sides: only a right 101 opens a tunnel.
#include <catch2/catch.hpp>

#include "answer.h"
#include "exchange.h"
#include "frames.h"
#include "proxy_fixture.h"
#include "support/fake_peer.h"

namespace probegate::test {
namespace {

// The head with a line replaced, removed (empty), or, without `from`, added.
std::string with(std::string head, const std::string& from, const std::string& to) {
  if (from.empty()) return head.insert(head.size() - 2, to);
  return head.replace(head.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("A client's wrong handshake is refused and never reaches the backend") {
  struct Row {
    std::string name, request;
    int status;
  };
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                    version = "Sec-WebSocket-Version: 13\r\n";
  const std::vector<Row> rows = {
      {"no key", with(kUpgrade, key, ""), 400},
      {"two keys", with(kUpgrade, "", key), 400},
      {"a short key", with(kUpgrade, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="), 400},
      {"no version", with(kUpgrade, version, ""), 400},
      {"version 8", with(kUpgrade, "Version: 13", "Version: 8"), 426},
      {"by POST", with(kUpgrade, "GET", "POST"), 400},
      {"with a body", with(kUpgrade, "", "Content-Length: 3\r\n"), 400},
  };
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) {
      FakeClient client(loop, proxy.endpoint(), row.request + text(From::client, "smuggled"));
      const Answer answer = next_answer(loop, client);
      CHECK(answer.status == row.status);
      CHECK(answer.get("probegate-reason") == "bad_request");
      if (row.status == 426) {
        CHECK(answer.get("sec-websocket-version") == "13");
        CHECK(answer.get("upgrade") == "websocket");
      }
      CHECK(loop.until([&] { return client.ended(); }));
      CHECK(backend.connections() == 0);
    }
  }
}

TEST_CASE("In HTTP/1.0 and for other protocols Upgrade means nothing") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  const std::string request = GENERATE(
      std::string("GET /chat HTTP/1.0\r\nHost: example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
      std::string(
          "GET /chat HTTP/1.1\r\nHost: example\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
          "HTTP2-Settings: AAA\r\n\r\n"),
      std::string("GET /chat HTTP/1.1\r\nHost: example\r\nUpgrade: websocket\r\n\r\n"));
  FakeClient client(loop, proxy.endpoint(), request);
  Wire& server = backend.await_request();
  CHECK(to_lower(server.received()).find("upgrade") == std::string::npos);
  CHECK(to_lower(server.received()).find("http2-settings") == std::string::npos);
  server.send(kOk);
  CHECK(next_answer(loop, client).status == 200);
}

TEST_CASE("Origins are allowed by the list, and only browsers send one") {
  struct Row {
    std::string name, line;
    std::vector<std::string> allowed;
    bool passes;
  };
  const std::vector<std::string> list = {"https://app.example", "https://b.example:8443"};
  const std::vector<Row> rows = {
      {"no list", "Origin: https://evil.example\r\n", {}, true},
      {"no Origin", "", list, true},
      {"allowed", "Origin: https://app.example\r\n", list, true},
      {"allowed in other case", "Origin: HTTPS://App.Example\r\n", list, true},
      {"other host", "Origin: https://evil.example\r\n", list, false},
      {"other port", "Origin: https://app.example:8443\r\n", list, false},
      {"null", "Origin: null\r\n", list, false},
      {"a prefix", "Origin: https://app.example.evil\r\n", list, false},
      {"two of them", "Origin: https://app.example\r\nOrigin: https://evil.example\r\n", list, false},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) {
      TestLoop loop;
      FakePeer backend(loop, {expect("\r\n\r\n"), send(kSwitching)});
      ProxyFixture proxy(loop, backend.endpoint(),
                         [&](config::Config& c) { c.proxy.websocket.origins = row.allowed; });
      FakeClient client(loop, proxy.endpoint(), with(kUpgrade, "", row.line));
      REQUIRE(loop.until([&] { return client.received().find("\r\n\r\n") != std::string::npos; }));
      if (row.passes) {
        CHECK(client.received().starts_with("HTTP/1.1 101 "));
      } else {
        const Answer answer = next_answer(loop, client);
        CHECK(answer.status == 403);
        CHECK(answer.get("probegate-reason") == "origin_denied");
        CHECK(backend.connections() == 0);
      }
    }
  }
}

TEST_CASE("A wrong 101 opens nothing: 502, and both connections end") {
  struct Row {
    std::string name, answer;
  };
  const std::vector<Row> rows = {
      {"wrong accept", with(kSwitching, "s3pPLM", "t3pPLM")},
      {"no accept", with(kSwitching, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", "")},
      {"no Upgrade", with(kSwitching, "Upgrade: websocket\r\n", "")},
      {"no Connection", with(kSwitching, "Connection: Upgrade\r\n", "")},
      {"another protocol", with(kSwitching, "websocket", "h2c")},
      {"a subprotocol that was not offered", with(kSwitching, "", "Sec-WebSocket-Protocol: mqtt\r\n")},
      {"an extension that was not offered",
       with(kSwitching, "", "Sec-WebSocket-Extensions: permessage-deflate\r\n")},
      {"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n"},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) {
      TestLoop loop;
      FakePeer backend(loop, {expect("\r\n\r\n"), send(row.answer + text(From::backend, "smuggled"))});
      ProxyFixture proxy(loop, backend.endpoint());
      FakeClient client(loop, proxy.endpoint(), kUpgrade);
      const Answer answer = next_answer(loop, client);
      CHECK(answer.status == 502);
      CHECK(answer.get("probegate-reason") == "backend_error");
      CHECK(
          loop.until([&] { return client.ended() && (backend.client(0).ended || backend.client(0).lost); }));
      CHECK(proxy.metrics().upgrades[metrics::UpgradeResult::failed].value() == 1);
      CHECK(proxy.metrics().tunnels.value() == 0);
    }
  }
}

TEST_CASE("A subprotocol that was offered comes through") {
  TestLoop loop;
  FakePeer backend(loop,
                   {expect("\r\n\r\n"), send(with(kSwitching, "", "Sec-WebSocket-Protocol: chat.v2\r\n"))});
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint(),
                    with(kUpgrade, "", "Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n"));
  REQUIRE(loop.until([&] { return client.received().ends_with("\r\n\r\n"); }));
  CHECK(client.received().find("Sec-WebSocket-Protocol: chat.v2\r\n") != std::string::npos);
  CHECK(backend.client(0).received.find("Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n") != std::string::npos);
  CHECK(backend.client(0).received.find("Connection: Upgrade\r\nUpgrade: websocket\r\n") !=
        std::string::npos);
  CHECK(proxy.metrics().upgrades[metrics::UpgradeResult::accepted].value() == 1);
}

TEST_CASE("An answer other than 101 is plain HTTP, and nothing the client sent behind its upgrade goes on") {
  TestLoop loop;
  FakePeer backend(loop, {expect("\r\n\r\n"), send("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n"
                                                   "Content-Length: 6\r\n\r\ndenied")});
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint(), kUpgrade + kGet);
  const Answer answer = next_answer(loop, client);
  CHECK(answer.status == 401);
  CHECK(answer.body == "denied");
  CHECK(answer.get("www-authenticate") == "Bearer");
  CHECK(answer.get("connection") == "close");
  CHECK(loop.until([&] { return client.ended(); }));
  CHECK(backend.connections() == 1);
  CHECK(backend.client(0).received.find("GET / ") == std::string::npos);
  CHECK(proxy.metrics().upgrades[metrics::UpgradeResult::failed].value() == 1);
}

TEST_CASE("An upgrade that is not answered ends with 504 at its deadline") {
  TestLoop loop;
  FakePeer backend(loop, Script{expect("\r\n\r\n")});
  ProxyFixture proxy(loop, backend.endpoint(), [](config::Config& c) { c.proxy.timeouts.upgrade = 100ms; });
  FakeClient client(loop, proxy.endpoint(), kUpgrade);
  const Answer answer = next_answer(loop, client);
  CHECK(answer.status == 504);
  CHECK(answer.get("probegate-reason") == "backend_timeout");
}

TEST_CASE("A client that leaves while its upgrade is under way leaves nothing behind") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint(), kUpgrade);
  Wire& server = backend.await();
  if (GENERATE(true, false)) {
    client.reset();
  } else {
    client.close();
  }
  CHECK(loop.until([&] { return server.gone(); }));
  CHECK(proxy.metrics().tunnels.value() == 0);
}

}  // namespace probegate::test
