#include "probe/action.h"

#include <catch2/catch.hpp>

#include "probe_fixture.h"

namespace probegate::probe {
namespace {

ActionRequest allowed() {
  return {.method = "POST", .target = "/reload", .host = "localhost:9090", .action = "reload", .local = true};
}

int refusal(const ActionRequest& request) {
  const auto refused = refuse_action(*find_action("/reload"), request);
  return refused ? refused->status : 0;
}

TEST_CASE("An action is for whoever is on this machine and says its name") {
  CHECK(refusal(allowed()) == 0);
  auto request = allowed();
  SECTION("not by GET") {
    request.method = "GET";
    CHECK(refusal(request) == 405);
  }
  SECTION("not from another machine, whatever it says") {
    request.local = false;
    request.action = "";
    CHECK(refusal(request) == 403);
  }
  SECTION("not from a page") {
    request.has_origin = true;
    CHECK(refusal(request) == 403);
  }
  SECTION("not through a proxy") {
    request.through_proxy = true;
    CHECK(refusal(request) == 403);
  }
  SECTION("not without the header, or with another word") {
    request.action = "";
    CHECK(refusal(request) == 400);
    request.action = "Reload";
    CHECK(refusal(request) == 400);
  }
}

TEST_CASE("An action takes its own parameters and no others") {
  struct Row {
    const char* target;
    const char* action;
    int status;
  };
  const Row rows[] = {
      {"/pause?for=5m&message=a%20b&by=me", "pause", 0},
      {"/pause", "pause", 0},
      {"/drain?by=me", "drain", 0},
      {"/resume?by=me", "resume", 0},
      {"/drain?for=5m", "drain", 400},
      {"/resume?message=x", "resume", 400},
      {"/reload?by=me", "reload", 400},
      {"/pause?For=5m", "pause", 400},
      {"/pause?for=%zz", "pause", 400},
      {"/pause?", "pause", 400},
      {"/pause", "drain", 400},
  };
  for (const auto& row : rows) {
    CAPTURE(row.target);
    auto request = allowed();
    request.target = row.target;
    request.action = row.action;
    REQUIRE(find_action(row.target));
    const auto refused = refuse_action(*find_action(row.target), request);
    CHECK((refused ? refused->status : 0) == row.status);
  }
  CHECK(action_parameters("/pause?message=a%20b").front().value == "a b");
  CHECK_FALSE(find_action("/pauses"));
  CHECK_FALSE(find_action("pause"));
}

TEST_CASE("The Host of an action is localhost or an address") {
  for (const auto* host :
       {"localhost", "LocalHost:1", "127.0.0.1", "10.0.0.1:65535", "[::1]", "[fd00::1]:9"}) {
    CAPTURE(host);
    auto request = allowed();
    request.host = host;
    CHECK(refusal(request) == 0);
  }
  for (const auto* host : {"", "evil.example", "localhost.", "localhost.evil", "127.0.0.1.evil", "::1",
                           "[::1", "localhost:x", "[::1]x", "127.1", "localhost:", "localhost:65536"}) {
    CAPTURE(host);
    auto request = allowed();
    request.host = host;
    CHECK(refusal(request) == 403);
  }
}

// Keeps what it is asked, and answers when the test says so.
struct Slow final : Actions {
  void act(Action, const ActionParameters&, std::function<void(ActionOutcome)> done) override {
    waiting.push_back(std::move(done));
  }
  std::vector<std::function<void(ActionOutcome)>> waiting;
};

constexpr std::string_view kReload =
    "POST /reload HTTP/1.1\r\nHost: localhost\r\nProbegate-Action: reload\r\n\r\n";

// A client that has asked for a reload, which is under way.
RawClient ask(ProbeFixture& fixture, Slow& slow) {
  fixture.server.set_actions(slow);
  RawClient client = fixture.client();
  client.send(kReload);
  REQUIRE(fixture.wait([&] { return slow.waiting.size() == 1; }));
  return client;
}

TEST_CASE("Whoever asked for an action gets its outcome when it is there, and the connection ends") {
  Slow slow;
  ProbeFixture fixture;
  RawClient client = ask(fixture, slow);
  CHECK(fixture.get("/health/live").status == 200);
  slow.waiting.front()({422, "{\"x\":1}\n"});
  const auto answer = fixture.answer(client);
  CHECK(answer.status == 422);
  CHECK(answer.body == "{\"x\":1}\n");
  CHECK(fixture.wait([&] { return client.closed(); }));
}

TEST_CASE("An outcome for a client that has left is dropped") {
  Slow slow;
  ProbeFixture fixture;
  {
    const RawClient client = ask(fixture, slow);
    const int no_linger[2] = {1, 0};
    ::setsockopt(client.descriptor(), SOL_SOCKET, SO_LINGER, no_linger, sizeof no_linger);
  }
  REQUIRE(fixture.wait([&] { return fixture.server.connections() == 0; }));
  slow.waiting.front()({200, "{}\n"});
  CHECK(fixture.get("/health/live").status == 200);
}

TEST_CASE("An action that does not end is answered within its time") {
  Slow slow;
  ProbeFixture fixture({.action_timeout = 50ms});
  fixture.server.set_actions(slow);
  RawClient client = fixture.client();
  client.send(kReload);
  CHECK(fixture.answer(client).status == 503);
  REQUIRE(slow.waiting.size() == 1);
  slow.waiting.front()({200, "{}\n"});
}

TEST_CASE("Without anybody to act an action is refused") {
  ProbeFixture fixture;
  RawClient client = fixture.client();
  client.send(kReload);
  CHECK(fixture.answer(client).status == 503);
}

}  // namespace
}  // namespace probegate::probe
