// HTTP through the door: what passes, what is answered by us, and how connections end.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "answer.h"
#include "door.h"
#include "support/fake_peer.h"
#include "wire.h"

namespace probegate::test {
namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: example\r\n\r\n";
const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// The next answer the client gets; a test that waits in vain fails here.
Answer next_answer(TestLoop& loop, Wire& client, bool to_head = false) {
  std::string rest;
  std::optional<Answer> answer;
  loop.until([&] {
    rest = client.received();
    answer = take_answer(rest, client.gone(), to_head);
    return answer.has_value() || client.gone();
  });
  if (!answer) {
    rest = client.received();
    answer = take_answer(rest, client.gone(), to_head);
  }
  INFO("received: " << client.received());
  REQUIRE(answer.has_value());
  client.take();
  if (!rest.empty()) FAIL("more than one answer where one was awaited: " << rest);
  return *answer;
}

}  // namespace

TEST_CASE("A plain GET passes and its answer comes back") {
  TestLoop loop;
  FakePeer backend(loop, {expect("\r\n\r\n"), send(kOk)});
  Door door(loop, backend.endpoint());
  FakeClient client(loop, door.endpoint(), kGet);
  const Answer answer = next_answer(loop, client);
  CHECK(answer.status == 200);
  CHECK(answer.body == "ok");
  CHECK(answer.get("connection") == "keep-alive");
  CHECK_FALSE(client.gone());
}

TEST_CASE("A closed gate refuses with a complete problem document and closes") {
  TestLoop loop;
  LiveBackend backend(loop);
  Door door(loop, backend.endpoint(), {}, closed_gate({"database", "redis"}));
  FakeClient client(loop, door.endpoint(), kGet);
  const Answer answer = next_answer(loop, client);
  CHECK(answer.status == 503);
  CHECK(answer.get("probegate-reason") == "gate_closed");
  CHECK(loop.until([&] { return client.ended(); }));
  CHECK(backend.connections() == 0);
}

TEST_CASE("An upgrade becomes a tunnel") {
  TestLoop loop;
  FakePeer backend(loop,
                   {expect("\r\n\r\n"),
                    send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi"),
                    expect("abcd"), send(std::string("\x88\0", 2)), half_close()});
  Door door(loop, backend.endpoint());
  FakeClient client(loop, door.endpoint(),
                    "GET /chat HTTP/1.1\r\nHost: example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  REQUIRE(loop.until([&] { return client.received().ends_with("\x81\x02hi"); }));
  CHECK(client.received().starts_with("HTTP/1.1 101 "));
  client.send(
      "\x88\x80"
      "abcd");
  CHECK(loop.until([&] { return !door.log_lines("tunnel ended").empty(); }));
}

}  // namespace probegate::test
