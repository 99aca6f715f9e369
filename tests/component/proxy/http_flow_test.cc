// The time of HTTP through the proxy: what is relayed before its end, and who waits for whom.
#include <catch2/catch.hpp>

#include "exchange.h"
#include "http_messages.h"
#include "support/fake_peer.h"

namespace probegate::test {

TEST_CASE("Informational answers are relayed as they come, but never to an HTTP/1.0 client") {
  TestLoop loop;
  FakePeer backend(
      loop,
      {expect("\r\n\r\n"),
       send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + kOk)});
  ProxyFixture proxy(loop, backend.endpoint());
  SECTION("1.1") {
    FakeClient client(loop, proxy.endpoint(), kGet);
    const Answer hints = next_answer(loop, client);
    CHECK(hints.status == 103);
    CHECK(hints.get("link") == "</a.css>");
    CHECK_FALSE(hints.has("connection"));
    CHECK(next_answer(loop, client).status == 102);
    CHECK(next_answer(loop, client).status == 200);
  }
  SECTION("1.0") {
    FakeClient client(loop, proxy.endpoint(), "GET / HTTP/1.0\r\n\r\n");
    CHECK(next_answer(loop, client).status == 200);
  }
}

TEST_CASE("Informational answers without end are an error of the backend") {
  TestLoop loop;
  std::string many;
  for (int i = 0; i < 100; ++i) many += "HTTP/1.1 102 Processing\r\n\r\n";
  FakePeer backend(loop, {expect("\r\n\r\n"), send(many)});
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint(), kGet);
  int status = 102;
  for (int i = 0; i < 20 && status == 102; ++i) status = next_answer(loop, client).status;
  CHECK(status == 502);
}

TEST_CASE("Expect: 100-continue never waits for a body that waits for us") {
  VirtualTime time;
  const std::string post = request("POST", "Expect: 100-continue\r\nContent-Length: 5\r\n");
  Asked asked(post);
  CHECK(has_line(asked.server.take(), "Expect: 100-continue"));
  SECTION("the backend says 100") {
    asked.server.send("HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(next_answer(asked.loop, asked.client, false, 700ms).status == 100);
    asked.client.send("hello");
    REQUIRE(asked.loop.until([&] { return asked.server.received() == "hello"; }));
    asked.server.send(kOk);
    const Answer answer = next_answer(asked.loop, asked.client);
    CHECK(answer.status == 200);
  }
  SECTION("the backend says 100, and the body takes its time: there is no second one from us") {
    asked.server.send("HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(next_answer(asked.loop, asked.client, false, 700ms).status == 100);
    asked.loop.run_for(1300ms);
    CHECK(asked.client.received().empty());
    asked.client.send("hello");
    REQUIRE(asked.loop.until([&] { return asked.server.received() == "hello"; }));
    asked.server.send(kOk);
    CHECK(next_answer(asked.loop, asked.client).status == 200);
  }
  SECTION("the backend says nothing for a second") {
    CHECK(next_answer(asked.loop, asked.client).status == 100);
    asked.client.send("hello");
    REQUIRE(asked.loop.until([&] { return asked.server.received() == "hello"; }));
    asked.server.send("HTTP/1.1 100 Continue\r\n\r\n" + kOk);  // late: the asked.client has had its own
    CHECK(next_answer(asked.loop, asked.client).status == 200);
  }
  SECTION("the backend hints first and then says nothing") {
    asked.server.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    CHECK(next_answer(asked.loop, asked.client).status == 103);
    CHECK(next_answer(asked.loop, asked.client).status == 100);
  }
  SECTION("the backend refuses") {
    asked.server.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
    const Answer answer = next_answer(asked.loop, asked.client, false, 700ms);
    CHECK(answer.status == 417);
    CHECK(answer.get("connection") == "close");
    CHECK(asked.loop.until([&] { return asked.client.ended(); }));
  }
}

TEST_CASE("An early final answer reaches a client that is still sending, whatever the backend does then") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint(), request("POST", "Content-Length: 50000000\r\n"));
  Wire& server = backend.await();
  client.send(pattern(100'000));
  REQUIRE(loop.until([&] { return server.received().size() > 1000; }));
  server.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
  if (GENERATE(false, true)) server.close();
  client.send(pattern(2'000'000));
  const Answer answer = next_answer(loop, client);
  CHECK(answer.status == 413);
  CHECK(answer.body == "big");
  CHECK(answer.get("connection") == "close");
  CHECK(loop.until([&] { return client.ended(); }));
  CHECK_FALSE(client.lost());
}

TEST_CASE("Pieces of an answer without a length are passed on at once") {
  Asked asked;
  asked.server.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  REQUIRE(asked.loop.until([&] { return asked.client.received().ends_with("\r\n\r\n"); }));
  for (int i = 0; i < 3; ++i) {
    asked.server.send("8\r\ndata: " + std::to_string(i) + "\n\r\n");
    REQUIRE(asked.loop.until(
        [&] { return asked.client.received().find("data: " + std::to_string(i)) != std::string::npos; }));
  }
  asked.client.close();
  CHECK(asked.loop.until([&] { return asked.server.gone(); }));
}

TEST_CASE("A reader that stops stops the backend behind it, and gets every byte once it reads on") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint(), kGet);
  client.stop_reading();
  Wire& server = backend.await_request();
  const std::string body = pattern(48 << 20);
  server.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  server.send(body);
  loop.run_for(300ms);
  CHECK_FALSE(server.sent());
  client.read_on();
  CHECK(next_answer(loop, client, false, 30s).body == body);
}

TEST_CASE("A backend that stops reading stops the client behind it, and gets every byte once it reads on") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  const std::string body = pattern(48 << 20);
  FakeClient client(loop, proxy.endpoint(),
                    request("POST", "Content-Length: " + std::to_string(body.size()) + "\r\n"));
  Wire& server = backend.await();
  server.stop_reading();
  client.send(body);
  loop.run_for(300ms);
  CHECK_FALSE(client.sent());
  server.read_on();
  REQUIRE(loop.until(
      [&] {
        return server.received().size() >= body.size() &&
               server.received().ends_with(body.substr(body.size() - 999));
      },
      30s));
  CHECK(server.received().ends_with(body));
  server.send(kOk);
  CHECK(next_answer(loop, client).status == 200);
}

TEST_CASE("A client that pipelines without reading is not served ahead of what it takes") {
  TestLoop loop;
  const std::string body = pattern(50'000);
  FakePeer backend(loop, [&](std::size_t) {
    Script script;
    for (int i = 0; i < 2000; ++i) {
      script.push_back(expect("\r\n\r\n"));
      script.push_back(send("HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + body));
    }
    return script;
  });
  ProxyFixture proxy(loop, backend.endpoint());
  FakeClient client(loop, proxy.endpoint());
  client.stop_reading();
  std::string many;
  for (int i = 0; i < 600; ++i) many += kGet;
  client.send(many);
  std::uint64_t before = 0;
  const auto served = [&] { return proxy.metrics().requests.value(200); };
  REQUIRE(loop.until([&] {
    loop.run_for(100ms);
    return served() > 0 && std::exchange(before, served()) == served();
  }));
  CHECK(before < 300);
  client.read_on();
  for (int i = 0; i < 600; ++i) REQUIRE(next_answer(loop, client).body == body);
}

TEST_CASE("An answer that goes on for longer than timeouts.response arrives whole") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), [](config::Config& c) { c.proxy.timeouts.response = 500ms; });
  FakeClient client(loop, proxy.endpoint(), kGet);
  Wire& server = backend.await();
  REQUIRE(loop.until([&] { return server.received().ends_with("\r\n\r\n"); }));
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
  for (int i = 0; i < 8; ++i) {
    loop.run_for(100ms);
    server.send("x");
  }
  CHECK(next_answer(loop, client).body == "xxxxxxxx");
}

TEST_CASE("A body of exactly limits.body_bytes passes, with a length and in chunks") {
  TestLoop loop;
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint(), [](config::Config& c) { c.proxy.limits.body_bytes = 10; });
  const auto [fields, body] = GENERATE(table<std::string, std::string>({
      {"Content-Length: 10\r\n", "0123456789"},
      {"Transfer-Encoding: chunked\r\n", "4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"},
  }));
  FakeClient client(loop, proxy.endpoint(), request("POST", fields, body));
  Wire& server = backend.await();
  CHECK(loop.until([&server, &body = body] { return server.received().ends_with(body); }, 2s));
  server.send(kOk);
  CHECK(next_answer(loop, client).status == 200);
}

}  // namespace probegate::test
