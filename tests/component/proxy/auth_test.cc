// Nothing reaches the backend before the auth service's word, and its word is obeyed.
#include <catch2/catch.hpp>

#include "auth_rig.h"

namespace probegate::test {
namespace {

using metrics::AuthResult;
using metrics::Reason;

const std::string kPost =
    "POST /save HTTP/1.1\r\nHost: example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

void all_requests(config::Config& config) { config.auth->all_requests = true; }

}  // namespace

TEST_CASE("The question carries the chosen fields and who asks for what, and nothing of the upgrade") {
  AuthRig rig;
  FakeClient client(
      rig.loop, rig.proxy.endpoint(),
      with_fields(
          kUpgrade,
          "Authorization: Bearer abc\r\nCookie: a=1\r\nCookie: b=2\r\nSec-WebSocket-Protocol: chat.v1\r\n"
          "X-Secret: 5\r\nX-Forwarded-For: 10.0.0.9\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Uri: /x\r\n"));
  const std::string head = rig.question();
  CHECK(head.starts_with("GET /validate HTTP/1.1\r\n"));
  CHECK(has_line(head, "Host: " + rig.service.endpoint().to_string()));
  for (const char* line :
       {"authorization: Bearer abc", "cookie: a=1", "cookie: b=2", "sec-websocket-protocol: chat.v1",
        "X-Forwarded-Method: GET", "X-Forwarded-Uri: /chat", "X-Forwarded-Proto: http",
        "X-Forwarded-Host: example", "X-Forwarded-For: 127.0.0.1"}) {
    INFO(line);
    CHECK(has_line(head, line));
  }
  const std::string lower = to_lower(head);
  for (const char* name : {"\r\nupgrade:", "\r\nconnection:", "websocket-key", "websocket-version",
                           "x-secret", "10.0.0.9", "evil", "x-forwarded-uri: /x"}) {
    INFO(name);
    CHECK(lower.find(name) == std::string::npos);
  }
}

TEST_CASE("A trusted peer's word on the client is passed on with the question") {
  AuthRig rig([](config::Config& config) {
    config::Cidr loopback;
    loopback.address[0] = 127;
    loopback.prefix = 8;
    config.proxy.trust.networks = {loopback};
  });
  FakeClient client(rig.loop, rig.proxy.endpoint(),
                    with_fields(kUpgrade,
                                "X-Forwarded-For: 10.0.0.9\r\nX-Forwarded-Host: app.example\r\n"
                                "X-Forwarded-Proto: https\r\n"));
  const std::string head = rig.question();
  CHECK(has_line(head, "X-Forwarded-For: 10.0.0.9"));
  CHECK(has_line(head, "X-Forwarded-Host: app.example"));
  CHECK(has_line(head, "X-Forwarded-Proto: https"));
}

TEST_CASE(
    "After a 2xx the request goes to the backend with the service's fields in place of the client's own") {
  AuthRig rig;
  FakeClient client(rig.loop, rig.proxy.endpoint(),
                    with_fields(kUpgrade, "X-User-Id: admin\r\nX_User_Id: root\r\nX-Other: stays\r\n") +
                        text(From::client, "early"));
  const std::string question = rig.question();
  rig.loop.run_for(50ms);
  CHECK(rig.backend.connections() == 0);
  CHECK(client.received().empty());
  rig.answer(
      "HTTP/1.1 200 OK\r\nX-User-Id: ada\r\nx-user-id: lovelace\r\nX-Internal: 7\r\n"
      "Content-Length: 3\r\n\r\nyes");
  const std::string head = rig.forwarded();
  CHECK(has_line(head, "X-User-Id: ada"));
  CHECK(has_line(head, "x-user-id: lovelace"));
  CHECK(has_line(head, "X-Other: stays"));
  for (const char* gone : {"admin", "root", "X-Internal"}) CHECK(head.find(gone) == std::string::npos);
  // One id for both, so that their logs can be joined.
  const auto id = [](const std::string& bytes) {
    const auto at = to_lower(bytes).find("x-request-id: ");
    return bytes.substr(at + 14, 32);
  };
  CHECK(id(question) == id(head));

  rig.backend.wire(0).send(kSwitching);
  CHECK(next_answer(rig.loop, client).status == 101);
  CHECK(rig.loop.until(
      [&] { return frames_in(rig.backend.wire(0).received()) == std::vector<std::string>{"M:text early"}; }));
  CHECK(rig.results(AuthResult::allowed) == 1);
  CHECK(rig.proxy.metrics().auth_duration.sum_seconds() > 0);
}

TEST_CASE("A value that would break the backend's head is never copied") {
  AuthRig rig;
  FakeClient client(rig.loop, rig.proxy.endpoint(), kUpgrade);
  rig.question();
  rig.answer("HTTP/1.1 200 OK\r\nX-User-Id: a\rX-Admin: 1\r\nX-User-Id: b\x01\r\nContent-Length: 0\r\n\r\n");
  const std::string head = rig.forwarded();
  CHECK(to_lower(head).find("x-user-id") == std::string::npos);
  CHECK(head.find("X-Admin") == std::string::npos);
}

TEST_CASE("A denial is the service's own answer, and ends the connection with nothing behind it passed on") {
  const int status = GENERATE(401, 403);
  const std::string answer = status == 401 ? kDenied : "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
  AuthRig rig;
  FakeClient client(rig.loop, rig.proxy.endpoint(), kUpgrade + text(From::client, "smuggled") + kGet);
  rig.question();
  rig.answer(answer);
  const Answer denial = next_answer(rig.loop, client);
  CHECK(denial.status == status);
  CHECK(denial.get("probegate-reason") == "auth_denied");
  CHECK(denial.get("connection") == "close");
  CHECK_FALSE(denial.has("retry-after"));
  CHECK_FALSE(denial.has("x-internal"));
  CHECK(denial.body == (status == 401 ? "log in..." : ""));
  CHECK(denial.get("www-authenticate") == (status == 401 ? "Bearer realm=\"chat\"" : ""));
  CHECK(denial.get("content-type") == (status == 401 ? "text/plain" : ""));
  CHECK(rig.loop.until([&] { return client.ended(); }));
  CHECK(client.received().empty());
  CHECK(rig.backend.connections() == 0);
  CHECK(rig.results(AuthResult::denied) == 1);
  CHECK(rig.proxy.metrics().refused[Reason::auth_denied].value() == 1);
  CHECK(rig.proxy.metrics().upgrades[metrics::UpgradeResult::refused].value() == 1);
}

TEST_CASE("Only upgrades are asked about, but a client's own set_headers never reach the backend") {
  AuthRig rig;
  FakeClient client(rig.loop, rig.proxy.endpoint(),
                    with_fields(kGet, "X-User-Id: admin\r\nX-Pass: geheim\r\n"));
  const std::string head = rig.forwarded();
  CHECK(to_lower(head).find("x-user-id") == std::string::npos);
  CHECK(to_lower(head).find("x-pass") == std::string::npos);
  rig.backend.wire(0).send(kOk);
  CHECK(next_answer(rig.loop, client).status == 200);
  CHECK(rig.service.connections() == 0);
}

TEST_CASE(
    "With applies_to: all every request of a connection has its own question, and the connection lives on") {
  AuthRig rig(all_requests);
  rig.backend.on_connection = serve;
  FakeClient client(rig.loop, rig.proxy.endpoint());
  for (const char* path : {"/one?token=5", "/two"}) {
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: example\r\n\r\n");
    CHECK(has_line(rig.question(), "X-Forwarded-Uri: " + std::string(path)));
    rig.answer(kAllowed);
    CHECK(next_answer(rig.loop, client).status == 200);
  }
  client.send("GET /three HTTP/1.1\r\nHost: example\r\n\r\n");
  rig.question();
  rig.answer(kDenied);
  CHECK(rig.reason(client) == "auth_denied");
  CHECK(rig.loop.until([&] { return client.ended(); }));
  CHECK(rig.service.connections() == 1);  // kept open
  CHECK(rig.backend.connections() == 1);
}

TEST_CASE("Pipelined requests wait for the verdict on the first") {
  AuthRig rig(all_requests);
  rig.backend.on_connection = serve;
  FakeClient client(rig.loop, rig.proxy.endpoint(), kGet + kGet);
  for (int i = 0; i < 2; ++i) {
    rig.question();
    CHECK(rig.service.wire(0).received().empty());
    rig.answer(kAllowed);
    CHECK(next_answer(rig.loop, client).status == 200);
  }
}

TEST_CASE("A body stays in the socket until the verdict, and 100 Continue is not said before it") {
  AuthRig rig(all_requests);
  FakeClient client(rig.loop, rig.proxy.endpoint(), kPost);
  rig.question();
  rig.loop.run_for(1200ms);  // the backend's second to say 100 has not begun
  CHECK(client.received().empty());
  client.send("hello");
  rig.answer(kAllowed);
  Wire& backend = rig.backend.await();
  CHECK(rig.loop.until([&] { return backend.received().ends_with("\r\n\r\nhello"); }));
  backend.send(kOk);
  CHECK(next_answer(rig.loop, client).status == 200);
}

TEST_CASE("A client that ends its sending side while auth is asked has left, or gets its answer") {
  const bool serve = GENERATE(false, true);
  AuthRig rig([&](config::Config& c) {
    all_requests(c);
    c.proxy.serve_half_closed = serve;
  });
  FakeClient client(rig.loop, rig.proxy.endpoint(), kGet);
  rig.question();
  client.half_close();
  if (!serve) {
    CHECK(rig.loop.until([&] { return client.ended(); }));
    CHECK(rig.loop.until([&] { return rig.proxy.log_lines("GET / client left").size() == 1; }));
    return;
  }
  rig.loop.run_for(30ms);
  rig.answer(kAllowed);
  rig.forwarded();
  rig.backend.wire(0).send(kOk);
  CHECK(next_answer(rig.loop, client).status == 200);
}

TEST_CASE("A denial of HEAD has the length and not the body") {
  AuthRig rig(all_requests);
  FakeClient client(rig.loop, rig.proxy.endpoint(), "HEAD / HTTP/1.1\r\nHost: example\r\n\r\n");
  rig.question();
  rig.answer(kDenied);
  REQUIRE(rig.loop.until([&] { return client.ended(); }));
  CHECK(client.received().ends_with("\r\n\r\n"));
  const Answer denial = next_answer(rig.loop, client, true);
  CHECK(denial.status == 401);
  CHECK(denial.get("content-length") == "9");
}

TEST_CASE("Whoever is refused before auth is not asked about") {
  AuthRig rig([](config::Config& config) { config.proxy.websocket.origins = {"https://app.example"}; });
  FakeClient origin(rig.loop, rig.proxy.endpoint(),
                    with_fields(kUpgrade, "Origin: https://evil.example\r\n"));
  CHECK(rig.reason(origin) == "origin_denied");
  std::string bad = kUpgrade;
  FakeClient handshake(rig.loop, rig.proxy.endpoint(),
                       bad.replace(bad.find("Version: 13"), 11, "Version: 8"));
  CHECK(rig.reason(handshake) == "bad_request");
  rig.proxy.publish(closed_gate());
  rig.loop.run_for(20ms);
  FakeClient gate(rig.loop, rig.proxy.endpoint(), kUpgrade);
  CHECK(rig.reason(gate) == "gate_closed");
  CHECK(rig.service.connections() == 0);
}

TEST_CASE("A client that leaves withdraws its question") {
  const bool by_reset = GENERATE(false, true);
  AuthRig rig;
  FakeClient client(rig.loop, rig.proxy.endpoint(), kUpgrade);
  rig.question();
  if (by_reset) {
    client.reset();
  } else {
    client.close();
  }
  CHECK(rig.loop.until([&] { return rig.service.wire(0).gone(); }));
  CHECK(rig.backend.connections() == 0);
  CHECK(rig.proxy.metrics().refused[Reason::auth_unavailable].value() == 0);
}

TEST_CASE("A drain refuses those who wait for a verdict, and withdraws their questions") {
  AuthRig rig;
  FakeClient client(rig.loop, rig.proxy.endpoint(), kUpgrade);
  rig.question();
  rig.proxy.publish(draining(health::Phase::lame_duck));
  rig.loop.run_for(30ms);
  CHECK(client.received().empty());
  rig.proxy.publish(draining(health::Phase::closing));
  CHECK(rig.reason(client) == "draining");
  CHECK(rig.loop.until([&] { return rig.service.wire(0).gone(); }));
  CHECK(rig.backend.connections() == 0);
  client.close();
  CHECK(rig.loop.until([&] { return rig.proxy.ended() == 1; }));
}

TEST_CASE("A gate that closes while the service is asked is obeyed after the verdict") {
  SECTION("without a hold the request is refused") {
    AuthRig rig;
    FakeClient client(rig.loop, rig.proxy.endpoint(), kUpgrade);
    rig.question();
    rig.proxy.publish(closed_gate());
    rig.loop.run_for(30ms);
    rig.answer(kAllowed);
    CHECK(rig.reason(client) == "gate_closed");
    CHECK(rig.backend.connections() == 0);
  }
  SECTION("with a hold it waits, and is not asked about twice") {
    AuthRig rig([](config::Config& config) { config.proxy.hold = {5, 10s, 1000}; });
    FakeClient client(rig.loop, rig.proxy.endpoint(), kUpgrade);
    rig.question();
    rig.proxy.publish(closed_gate());
    rig.loop.run_for(30ms);
    rig.answer(kAllowed);
    REQUIRE(rig.loop.until([&] { return rig.proxy.metrics().held.value() == 1; }));
    rig.proxy.publish(open_gate());
    CHECK(has_line(rig.forwarded(), "X-User-Id: ada"));
    CHECK(rig.service.wire(0).received().empty());
    CHECK(rig.results(AuthResult::allowed) == 1);
  }
}

TEST_CASE("A request released from the hold is asked about then") {
  AuthRig rig([](config::Config& config) { config.proxy.hold = {5, 10s, 1000}; }, closed_gate());
  FakeClient client(rig.loop, rig.proxy.endpoint(), kUpgrade);
  REQUIRE(rig.loop.until([&] { return rig.proxy.metrics().held.value() == 1; }));
  CHECK(rig.service.connections() == 0);
  rig.proxy.publish(open_gate());
  rig.question();
  CHECK(rig.proxy.metrics().held.value() == 0);
  rig.answer(kAllowed);
  CHECK(has_line(rig.forwarded(), "X-User-Id: ada"));
}

TEST_CASE("A configuration that drops auth stops the asking, and a question under way keeps its own rules") {
  AuthRig rig;
  FakeClient before(rig.loop, rig.proxy.endpoint(), kUpgrade);
  rig.question();
  rig.proxy.publish([](config::Config& config) { config.auth.reset(); });
  FakeClient after(rig.loop, rig.proxy.endpoint(), kUpgrade);
  rig.forwarded();
  rig.answer(kDenied);
  CHECK(rig.reason(before) == "auth_denied");
  CHECK(rig.service.connections() == 1);
}

}  // namespace probegate::test
