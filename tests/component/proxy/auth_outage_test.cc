// When the auth service fails: bounded waits, the breaker, and who passes all the same.
#include <atomic>
#include <catch2/catch.hpp>

#include "auth_rig.h"
#include "support/fake_peer.h"

namespace probegate::test {
namespace {

using metrics::AuthResult;
using metrics::Reason;

AuthRig::Tune auth(std::function<void(config::Auth&)> tune) {
  return [tune = std::move(tune)](config::Config& config) { tune(*config.auth); };
}

// A service that answers every question so, at once.
std::function<void(Wire&)> always(std::string answer) {
  return [answer = std::move(answer)](Wire& wire) {
    wire.on_bytes = [&wire, answer] {
      while (wire.received().find("\r\n\r\n") != std::string::npos) {
        const std::string bytes = wire.take();
        wire.put_back(bytes.substr(bytes.find("\r\n\r\n") + 4));
        wire.send(answer);
      }
    };
  };
}

// How an upgrade fares, from a client of its own.
Answer upgrade(AuthRig& rig, const std::string& request = kUpgrade) {
  FakeClient client(rig.loop, rig.proxy.endpoint(), request);
  return next_answer(rig.loop, client);
}

// A backend that accepts every upgrade.
void accept_all(Wire& wire) { always(kSwitching)(wire); }

const auto kNever = auth([](config::Auth& a) { a.breaker_failures = 1000; });

}  // namespace

TEST_CASE("Whatever is no verdict is auth_unavailable, and never more than auth.timeout away") {
  struct Row {
    std::string name;
    std::function<void(Wire&)> service;
    bool slow = false;  // needs the whole timeout
  };
  const std::vector<Row> rows = {
      {"500", always(kBroken)},
      {"a redirect", always("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n")},
      {"404", always("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")},
      {"a body without an end", always("HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nfour"), true},
      {"a denial larger than 64 KiB",
       always("HTTP/1.1 403 No\r\nContent-Length: 70000\r\n\r\n" + std::string(70000, 'x'))},
      {"a head larger than 64 KiB", always("HTTP/1.1 200 OK\r\nX: " + std::string(70000, 'x') + "\r\n\r\n")},
      {"not HTTP", always("SSH-2.0-OpenSSH\r\n\r\n")},
      {"a reset on accept", [](Wire& wire) { wire.reset(); }},
      {"a close after the question", [](Wire& wire) { wire.on_bytes = [&wire] { wire.close(); }; }},
      {"a reset in the head",
       [](Wire& wire) {
         wire.on_bytes = [&wire] {
           wire.send("HTTP/1.1 20");
           wire.reset();
         };
       }},
      {"silence", [](Wire&) {}, true},
      {"a head that never ends",
       [](Wire& wire) {
         wire.on_bytes = [&wire] { wire.send_bytewise("HTTP/1.1 200 OK\r\nX: " + std::string(60'000, 'x')); };
       },
       true},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) {
      AuthRig rig(auth([&](config::Auth& a) {
        a.timeout = row.slow ? 200ms : 20s;
        a.breaker_failures = 1000;
      }));
      rig.service.on_connection = row.service;
      FakeClient client(rig.loop, rig.proxy.endpoint(), kUpgrade + text(From::client, "smuggled"));
      const auto before = rig.loop->now();
      const Answer answer = next_answer(rig.loop, client);
      CHECK(rig.loop->now() - before < 10s);
      CHECK(answer.status == 503);
      CHECK(answer.get("probegate-reason") == "auth_unavailable");
      CHECK(answer.get("connection") == "close");
      CHECK(answer.has("retry-after"));
      CHECK(answer.body.find("127.0.0.1") == std::string::npos);
      CHECK(rig.loop.until([&] { return client.ended(); }));
      CHECK(rig.backend.connections() == 0);
      CHECK(rig.results(AuthResult::unavailable) == 1);
      CHECK(rig.proxy.metrics().auth_prevented_seconds.seconds() == 0);
    }
  }
}

TEST_CASE("A service that accepts no connection costs no more than the timeout") {
  const BlackHole hole;
  const auto port = GENERATE(false, true) ? hole.port() : closed_port();
  AuthRig rig(auth([&](config::Auth& a) {
    a.url = "http://127.0.0.1:" + std::to_string(port) + "/validate";
    a.timeout = 200ms;
  }));
  CHECK(upgrade(rig).get("probegate-reason") == "auth_unavailable");
}

TEST_CASE("A 2xx is a verdict whatever follows its head") {
  AuthRig rig;
  rig.service.on_connection =
      always("HTTP/1.1 200 OK\r\nX-User-Id: ada\r\nContent-Length: 70000\r\n\r\n" + std::string(70000, 'x'));
  FakeClient client(rig.loop, rig.proxy.endpoint(), kUpgrade);
  CHECK(has_line(rig.forwarded(), "X-User-Id: ada"));
}

TEST_CASE(
    "After so many failures in a row nobody is asked until recovery has passed, then one alone decides") {
  AuthRig rig(auth([](config::Auth& a) {
    a.breaker_failures = 2;
    a.breaker_recovery = 400ms;
    a.timeout = 3s;
  }));
  rig.backend.on_connection = accept_all;
  rig.service.on_connection = always(kBroken);
  for (int i = 0; i < 2; ++i) CHECK(upgrade(rig).status == 503);
  const auto opened = rig.loop->now();
  CHECK(rig.proxy.auth_breaker().open());
  const auto asked = rig.service.connections();
  std::uint64_t spared = 0;
  while (rig.loop->now() - opened < 200ms) {
    const Answer answer = upgrade(rig);
    CHECK(answer.get("probegate-reason") == "auth_unavailable");
    ++spared;
  }
  CHECK(rig.service.connections() == asked);
  CHECK(rig.service.wire(0).received().empty());
  CHECK(rig.proxy.metrics().auth_prevented_seconds.seconds() == Approx(3.0 * static_cast<double>(spared)));

  // The trial: the first after recovery is asked and the others are not.
  rig.service.on_connection = [](Wire&) {};
  if (asked > 0) rig.service.wire(asked - 1).close();
  rig.loop.run_for(500ms);
  FakeClient trial(rig.loop, rig.proxy.endpoint(), kUpgrade);
  rig.question(asked);
  CHECK(upgrade(rig).get("probegate-reason") == "auth_unavailable");
  CHECK(rig.proxy.auth_breaker().open());
  rig.answer(kDenied, asked);  // the service does its work again
  CHECK(rig.reason(trial) == "auth_denied");
  CHECK_FALSE(rig.proxy.auth_breaker().open());

  FakeClient next(rig.loop, rig.proxy.endpoint(), kUpgrade);
  rig.question(asked);
  rig.answer(kAllowed, asked);
  CHECK(next_answer(rig.loop, next).status == 101);
  CHECK(rig.loop.until([&] {
    return rig.proxy.log_lines("auth breaker closed; the auth service answers again").size() == 1;
  }));
  CHECK(rig.proxy.log_lines("auth breaker open; the auth service is not asked until the next trial request")
            .size() == 1);
}

TEST_CASE("A denial between failures starts the count again") {
  AuthRig rig;
  for (const auto& answer : {kBroken, kDenied, kBroken}) {
    rig.service.on_connection = always(answer);
    upgrade(rig);
    rig.service.wire(rig.service.connections() - 1).close();
  }
  CHECK_FALSE(rig.proxy.auth_breaker().open());
}

TEST_CASE("A client with the trial that leaves hands it to the next one") {
  AuthRig rig(auth([](config::Auth& a) {
    a.breaker_failures = 1;
    a.breaker_recovery = 50ms;
  }));
  rig.service.on_connection = [](Wire& wire) { wire.reset(); };
  CHECK(upgrade(rig).status == 503);
  rig.service.on_connection = [](Wire&) {};
  const auto asked = rig.service.connections();
  rig.loop.run_for(60ms);
  {
    FakeClient trial(rig.loop, rig.proxy.endpoint(), kUpgrade);
    rig.question(asked);
  }
  REQUIRE(rig.loop.until([&] { return rig.service.wire(asked).gone(); }));
  FakeClient next(rig.loop, rig.proxy.endpoint(), kUpgrade);
  rig.question(asked + 1);
  rig.answer(kAllowed, asked + 1);
  rig.forwarded();
  CHECK_FALSE(rig.proxy.auth_breaker().open());
}

TEST_CASE("While the pre-check fails nobody is asked") {
  AuthRig rig(auth([](config::Auth& a) {
    a.precheck = "auth";
    a.timeout = 3s;
  }));
  rig.service.on_connection = always(kAllowed);
  rig.backend.on_connection = accept_all;
  auto gate = open_gate();
  gate.auth_precheck_fails = true;
  rig.proxy.publish(gate);
  rig.loop.run_for(20ms);
  const Answer answer = upgrade(rig);
  CHECK(answer.get("probegate-reason") == "auth_unavailable");
  CHECK(answer.body.find("check auth fails") != std::string::npos);
  CHECK(rig.service.connections() == 0);
  CHECK(rig.proxy.metrics().auth_prevented_seconds.seconds() == 3);
  CHECK_FALSE(rig.proxy.auth_breaker().open());
  rig.proxy.publish(open_gate());
  rig.loop.run_for(20ms);
  CHECK(upgrade(rig).status == 101);
}

TEST_CASE(
    "on_unavailable: allow lets the request pass without the client's own set_headers; a denial stays one") {
  AuthRig rig(auth([](config::Auth& a) { a.allow_when_unavailable = true; }));
  rig.service.on_connection = always(kBroken);
  FakeClient client(rig.loop, rig.proxy.endpoint(), with_fields(kUpgrade, "X-User-Id: admin\r\n"));
  CHECK(to_lower(rig.forwarded()).find("x-user-id") == std::string::npos);
  CHECK(rig.results(AuthResult::unavailable) == 1);
  CHECK(rig.results(AuthResult::allowed) == 0);
  rig.service.wire(0).close();
  rig.service.on_connection = always(kDenied);
  CHECK(upgrade(rig).status == 401);
}

TEST_CASE("The bypass lets whoever knows the secret pass while auth is unavailable, and then only") {
  AuthRig rig(auth([](config::Auth& a) {
    a.bypass = config::Auth::Bypass{"x-pass", "geheim"};
    a.breaker_failures = 1000;
  }));
  const std::string right = "X-Pass: geheim\r\n";
  SECTION("the right secret passes, is stripped, counted and logged, and appears nowhere") {
    rig.service.on_connection = always(kBroken);
    FakeClient client(rig.loop, rig.proxy.endpoint(), with_fields(kUpgrade, right));
    const std::string head = rig.forwarded();
    CHECK(to_lower(head).find("x-pass") == std::string::npos);
    CHECK(rig.results(AuthResult::bypassed) == 1);
    CHECK(rig.results(AuthResult::unavailable) == 0);
    CHECK(rig.loop.until([&] { return rig.proxy.log_lines("auth bypassed").size() == 1; }));
    CHECK(rig.proxy.log().find("geheim") == std::string::npos);
  }
  SECTION("a wrong one, a part of it, or two of them do not") {
    rig.service.on_connection = always(kBroken);
    for (const std::string fields :
         {"X-Pass: geheimer\r\n", "X-Pass: gehei\r\n", "X-Pass: \r\n", "X-Pass: geheimgeheim\r\n",
          "X-Pass: geheim\r\nX-Pass: geheim\r\n", "X_Pass: geheim\r\n"}) {
      INFO(fields);
      CHECK(upgrade(rig, with_fields(kUpgrade, fields)).get("probegate-reason") == "auth_unavailable");
    }
    CHECK(rig.backend.connections() == 0);
  }
  SECTION("a denial stands") {
    rig.service.on_connection = always(kDenied);
    CHECK(upgrade(rig, with_fields(kUpgrade, right)).status == 401);
  }
  SECTION("an allowed request does not carry it to the backend, nor to the service") {
    FakeClient client(rig.loop, rig.proxy.endpoint(), with_fields(kUpgrade, right));
    CHECK(to_lower(rig.question()).find("x-pass") == std::string::npos);
    rig.answer(kAllowed);
    CHECK(to_lower(rig.forwarded()).find("x-pass") == std::string::npos);
    CHECK(rig.results(AuthResult::bypassed) == 0);
  }
}

TEST_CASE("No credential of a client appears in the log, at any level") {
  AuthRig rig(auth([](config::Auth& a) { a.breaker_failures = 1; }));
  const auto request =
      with_fields(kUpgrade, "Authorization: Bearer geheim\r\nCookie: s=geheim\r\nX-Pass: geheim\r\n");
  rig.service.on_connection = always(kBroken);
  CHECK(upgrade(rig, request).status == 503);
  CHECK(upgrade(rig, request).status == 503);
  CHECK(rig.loop.until(
      [&] { return rig.proxy.log_lines("GET /chat 503 refused: auth_unavailable").size() == 2; }));
  CHECK(rig.proxy.log().find("geheim") == std::string::npos);
}

TEST_CASE("Of many questions so many are at the service at once, and the others wait for their turn") {
  AuthRig rig(auth([](config::Auth& a) { a.timeout = 60s; }));
  rig.backend.on_connection = accept_all;
  constexpr std::size_t kClients = proxy::AuthWorker::kMostAsked + 60;
  std::vector<std::unique_ptr<FakeClient>> clients;
  for (std::size_t i = 0; i < kClients; ++i)
    clients.push_back(std::make_unique<FakeClient>(rig.loop, rig.proxy.endpoint(), kUpgrade));
  REQUIRE(rig.loop.until([&] { return rig.service.connections() == proxy::AuthWorker::kMostAsked; }));
  rig.loop.run_for(100ms);
  CHECK(rig.service.connections() == proxy::AuthWorker::kMostAsked);
  for (std::size_t i = 0; i < rig.service.connections(); ++i) {
    always(kAllowed)(rig.service.wire(i));
    rig.service.wire(i).on_bytes();
  }
  rig.service.on_connection = always(kAllowed);
  for (auto& client : clients) CHECK(next_answer(rig.loop, *client, false, 30s).status == 101);
  CHECK(rig.results(AuthResult::allowed) == kClients);
}

// Holds the auth thread, as a library that blocks would: the last reference to a configuration goes there,
// and its end takes until the test says so.
class StuckAuthThread {
 public:
  explicit StuckAuthThread(AuthRig& rig) : rig_(rig), replies_(rig.loop, [] {}) {
    auto* config = new config::Config();
    config->auth.emplace();
    const auto hang = [state = state_](const config::Config* ended) {
      state->stuck = true;
      state->free.wait(false);
      delete ended;
    };
    REQUIRE(ask({config, hang}));
    REQUIRE(rig.loop.until([this] { return state_->stuck.load(); }));
  }
  ~StuckAuthThread() { release(); }
  void release() {
    state_->free = true;
    state_->free.notify_all();
  }
  // Takes all the places that are left.
  std::size_t fill() {
    std::size_t taken = 0;
    auto config = std::make_shared<config::Config>();
    config->auth.emplace();
    while (ask(config)) ++taken;
    return taken;
  }

 private:
  // Its time is over already, so it is dropped as soon as it is looked at.
  bool ask(std::shared_ptr<const config::Config> config) {
    return rig_.proxy.auth().ask({}, rig_.loop->now() - 1s, std::move(config), replies_).has_value();
  }

  struct State {
    std::atomic<bool> stuck{false};
    std::atomic<bool> free{false};
  };
  AuthRig& rig_;
  proxy::AuthReplies replies_;
  std::shared_ptr<State> state_ = std::make_shared<State>();  // with the auth thread
};

TEST_CASE("When the auth thread itself hangs, every request is still answered within auth.timeout") {
  AuthRig rig(auth([](config::Auth& a) {
    a.timeout = 200ms;
    a.breaker_failures = 2;
  }));
  rig.backend.on_connection = accept_all;
  rig.service.on_connection = always(kAllowed);
  {
    StuckAuthThread stuck(rig);
    for (int i = 0; i < 2; ++i) CHECK(upgrade(rig).get("probegate-reason") == "auth_unavailable");
    CHECK(rig.proxy.auth_breaker().open());
    CHECK(rig.service.connections() == 0);
  }
  rig.loop.run_for(50ms);
  CHECK(rig.service.connections() == 0);  // what was withdrawn is not asked late
}

TEST_CASE(
    "Beyond the bound of questions the answer is auth_unavailable at once, and says nothing of the service") {
  AuthRig rig(auth([](config::Auth& a) {
    a.timeout = 60s;
    a.breaker_failures = 1;
  }));
  rig.backend.on_connection = accept_all;
  rig.service.on_connection = always(kAllowed);
  StuckAuthThread stuck(rig);
  CHECK(stuck.fill() == proxy::AuthWorker::kMostQuestions);  // the one it hangs on has left its place
  const Answer answer = upgrade(rig);
  CHECK(answer.get("probegate-reason") == "auth_unavailable");
  CHECK(answer.body.find("too many") != std::string::npos);
  CHECK_FALSE(rig.proxy.auth_breaker().open());
  stuck.release();
  CHECK(rig.loop.until([&] { return upgrade(rig).status == 101; }));
}

TEST_CASE("A question that could not be asked at all says nothing of the service") {
  AuthRig rig(auth([](config::Auth& a) {
    a.url = "gopher://nowhere/";
    a.breaker_failures = 1;
  }));
  CHECK(upgrade(rig).get("probegate-reason") == "auth_unavailable");
  CHECK_FALSE(rig.proxy.auth_breaker().open());
}

}  // namespace probegate::test
