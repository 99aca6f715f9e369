#include "health/readiness_json.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "model_fixture.h"

namespace probegate::health {
namespace {

constexpr std::string_view kTime = "2026-11-27T12:00:03.214Z";

std::string golden(const std::string& name) {
  std::ifstream file(std::string(GOLDEN_DIR) + "/" + name);
  REQUIRE(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The example of the contract: the database passes, redis is refused, websocket waits for redis.
struct Startup : ModelFixture {
  Startup() : ModelFixture(policies()) {
    advance(20ms);
    fail(0, FailKind::connect, "connection to 10.0.0.5:5432 refused");
    model.record(3,
                 CheckResult::fail(
                     {FailKind::missing_tables, "3 tables are missing", "42P01", {"users", "app.\"x\""}}),
                 31ms, now(), wall());
    advance(1s);
    pass(0, 1'900us);
    advance(2s);
    fail(1);
    fail(1);
  }
  static std::vector<CheckPolicy> policies() {
    std::vector<CheckPolicy> all{policy("database"), policy("redis", {}, {0}),
                                 policy("websocket", {true, true, true}, {1}), policy("reports", kNothing)};
    all[0].type = "postgres";
    all[1].type = "redis";
    all[3].type = "mysql";
    all[2].type = "websocket";
    return all;
  }
  Snapshot snapshot() const {
    Snapshot s;
    s.policies = std::make_shared<const std::vector<CheckPolicy>>(model.policies());
    s.checks = model.states();
    s.waiting_for = Gate::waiting_for(model, false);
    s.started = start;
    return s;
  }
};

Snapshot everything_passes() {
  Startup f;
  f.pass(1);
  f.pass(2, 3'140us);
  f.pass(3);
  Snapshot s = f.snapshot();
  s.gate = GateState::open;
  s.ever_opened = true;
  s.startup = 3020ms;
  return s;
}

std::string readiness(const Snapshot& s, Details details = Details::full) {
  return readiness_json(s, Document::readiness, details).text(kTime, uptime_text(3214ms));
}

TEST_CASE("The readiness document of a start that waits for redis matches its golden file") {
  const auto text = readiness(Startup().snapshot());
  CHECK(text == golden("readiness_waiting.json"));
  CHECK(nlohmann::json::accept(text));
}

TEST_CASE("The readiness document of a ready service matches its golden file") {
  CHECK(readiness(everything_passes()) == golden("readiness_ready.json"));
}

TEST_CASE("The summary keeps status, kind, sqlstate and numbers and drops texts, tables and addresses") {
  const auto text = readiness(Startup().snapshot(), Details::summary);
  CHECK(text == golden("readiness_summary.json"));
  for (const char* hidden : {"10.0.0.5", "refused", "users", "tables are missing"}) {
    CHECK(text.find(hidden) == std::string::npos);
  }
}

TEST_CASE("The application/health+json document matches its golden files") {
  CHECK(health_json(Startup().snapshot(), Document::readiness, Details::full, "1.2.3") ==
        golden("health_waiting.json"));
  CHECK(health_json(Startup().snapshot(), Document::readiness, Details::summary, "1.2.3") ==
        golden("health_summary.json"));
  CHECK(health_json(everything_passes(), Document::readiness, Details::full, "1.2.3") ==
        golden("health_ready.json"));
}

TEST_CASE("A dependency's answer that is not UTF-8 still makes valid JSON") {
  Startup f;
  f.fail(1, FailKind::protocol, "got \xff\xfe \"and\" \x01");
  CHECK(nlohmann::json::accept(readiness(f.snapshot())));
  CHECK(nlohmann::json::accept(health_json(f.snapshot(), Document::readiness, Details::full, "1")));
}

TEST_CASE("A configuration without checks makes valid documents") {
  Snapshot s;
  s.policies = std::make_shared<const std::vector<CheckPolicy>>();
  s.gate = GateState::open;
  s.ever_opened = true;
  const auto json = nlohmann::json::parse(readiness(s));
  CHECK(json["status"] == "ready");
  CHECK(json["checks"] == nlohmann::json::object());
  CHECK(json["waiting_for"] == nlohmann::json::array());
  CHECK(nlohmann::json::parse(health_json(s, Document::readiness, Details::full, "1"))["checks"].is_object());
}

TEST_CASE("A spliced body knows its size") {
  const SplicedBody body = readiness_json(Startup().snapshot(), Document::readiness, Details::full);
  for (const char* uptime : {"0.000", "3.214", "1234567.890"}) {
    CHECK(body.size(uptime) == body.text(kTime, uptime).size());
  }
}

TEST_CASE("The uptime has three decimals and is never negative") {
  CHECK(uptime_text(0s) == "0.000");
  CHECK(uptime_text(3214ms) == "3.214");
  CHECK(uptime_text(999'999us) == "0.999");
  CHECK(uptime_text(61s + 5ms) == "61.005");
  CHECK(uptime_text(-5s) == "0.000");
}

TEST_CASE("Each document says its word in every state of the gate") {
  struct Row {
    GateState gate;
    bool ever_opened;
    Judgement startup;
    Judgement readiness;
    Judgement liveness;
  };
  const Judgement ready{"ready", true};
  const Judgement not_ready{"not_ready", false};
  const Judgement draining{"draining", false};
  const Judgement error{"error", false};
  const Judgement ok{"ok", true};
  const Row rows[] = {
      {GateState::starting, false, not_ready, not_ready, ok},
      {GateState::open, true, ready, ready, ok},
      {GateState::closed, true, ready, not_ready, ok},
      {GateState::failed, false, error, error, error},
      {GateState::paused, true, ready, not_ready, ok},
      {GateState::paused, false, not_ready, not_ready, ok},
      {GateState::draining, true, ready, draining, ok},
      {GateState::draining, false, draining, draining, ok},
  };
  for (const Row& row : rows) {
    CAPTURE(to_string(row.gate), row.ever_opened);
    Snapshot s = everything_passes();
    s.gate = row.gate;
    s.ever_opened = row.ever_opened;
    CHECK((judge(Document::startup, s) == row.startup));
    CHECK((judge(Document::readiness, s) == row.readiness));
    CHECK((judge(Document::liveness, s) == row.liveness));
  }
}

TEST_CASE("Readiness is lost with a readiness check, and liveness is not") {
  Startup f;
  f.fail(1);
  Snapshot s = f.snapshot();
  s.gate = GateState::open;
  s.ever_opened = true;
  CHECK((judge(Document::readiness, s) == Judgement{"not_ready", false}));
  CHECK(judge(Document::startup, s).ok);
  CHECK(judge(Document::liveness, s).ok);
}

TEST_CASE("Readiness is lost with a traffic check, whatever else it affects") {
  Snapshot s = everything_passes();
  auto policies = *s.policies;
  policies[3].affects = kTrafficOnly;
  s.policies = std::make_shared<const std::vector<CheckPolicy>>(policies);
  s.checks[3].status = CheckStatus::fail;
  CHECK_FALSE(s.readiness_passing());
  CHECK((judge(Document::readiness, s) == Judgement{"not_ready", false}));
}

TEST_CASE("A reported check never takes readiness away") {
  Snapshot s = everything_passes();
  s.checks[3].status = CheckStatus::fail;
  CHECK(judge(Document::readiness, s).ok);
}

TEST_CASE("Liveness fails with a stuck loop, and under `exit` not with the startup timeout") {
  Snapshot s = everything_passes();
  CHECK(readiness_json(s, Document::liveness, Details::full).after_uptime.find("\"error\":{") ==
        std::string::npos);
  s.stuck_loops = "data-2";
  CHECK((judge(Document::liveness, s) == Judgement{"error", false}));
  CHECK(judge(Document::readiness, s).ok);
  const auto body = readiness_json(s, Document::liveness, Details::full).text("", "0");
  CHECK(body.ends_with(",\"error\":{\"kind\":\"internal\",\"message\":\"data-2 blocked for 10 s\"}}\n"));
  CHECK(health_json(s, Document::liveness, Details::full, "1").find("data-2 blocked for 10 s") !=
        std::string::npos);
  s.stuck_loops.clear();
  s.gate = GateState::failed;
  s.ever_opened = false;
  s.on_startup_timeout = StartupTimeoutPolicy::exit;
  CHECK(judge(Document::liveness, s).ok);
  CHECK((judge(Document::readiness, s) == Judgement{"error", false}));
}

}  // namespace
}  // namespace probegate::health
