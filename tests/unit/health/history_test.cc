#include "health/history.h"

#include <catch2/catch.hpp>

#include "model_fixture.h"

namespace probegate::health {
namespace {

Event check_event(std::string name, std::string from, std::string to, Duration since_start) {
  Event event;
  event.kind = EventKind::check;
  event.since_start = since_start;
  event.check = std::move(name);
  event.from = std::move(from);
  event.to = std::move(to);
  return event;
}

Event gate_event(std::string from, std::string to, Duration since_start) {
  Event event = check_event({}, std::move(from), std::move(to), since_start);
  event.kind = EventKind::gate;
  return event;
}

Event refusal(std::string message, WallTime wall) {
  Event event;
  event.kind = EventKind::backend_refused;
  event.wall = wall;
  event.message = std::move(message);
  return event;
}

struct Started : ModelFixture {
  Started() : ModelFixture({policy("database"), policy("redis", {}, {0})}) { history.set_checks(model, 0s); }
  History history;
};

TEST_CASE("A history keeps the newest events and forgets the oldest") {
  History history;
  for (std::size_t i = 0; i < History::kEvents + 5; ++i) {
    history.add(gate_event("open", std::to_string(i), 1s));
  }
  REQUIRE(history.events().size() == History::kEvents);
  CHECK(history.events().front().to == "5");
  CHECK(history.events().back().to == std::to_string(History::kEvents + 4));
}

TEST_CASE("A storm of equal refusals takes one place, and keeps when it began") {
  History history;
  for (int i = 0; i < 1000; ++i) history.add(refusal("connection refused", kWall + i * 1s));
  REQUIRE(history.events().size() == 1);
  CHECK(history.events().front().count == 1000);
  CHECK((history.events().front().wall == kWall));
  history.add(refusal("connection reset", kWall));
  history.add(refusal("connection refused", kWall));
  CHECK(history.events().size() == 3);
}

TEST_CASE("Equal events of other kinds stay apart: each is a change of its own") {
  History history;
  history.add(check_event("database", "pass", "fail", 1s));
  history.add(check_event("database", "pass", "fail", 2s));
  CHECK(history.events().size() == 2);
}

TEST_CASE("The timeline says when each check could run and when it first passed") {
  Started f;
  REQUIRE(f.history.timeline().size() == 2);
  CHECK((f.history.timeline()[0].runnable == Duration(0s)));
  CHECK_FALSE(f.history.timeline()[1].runnable);
  f.history.add(check_event("database", "unknown", "fail", 1s));
  CHECK_FALSE(f.history.timeline()[0].passed);
  f.history.add(check_event("database", "fail", "warn", 2s));
  f.history.add(check_event("redis", "waiting", "unknown", 2s));
  f.history.add(check_event("redis", "unknown", "pass", 3s));
  f.history.add(gate_event("starting", "open", 3s));
  CHECK((f.history.timeline()[0].passed == Duration(2s)));
  CHECK((f.history.timeline()[1].runnable == Duration(2s)));
  CHECK((f.history.timeline()[1].passed == Duration(3s)));
  CHECK((f.history.opened_after() == Duration(3s)));
}

TEST_CASE("Later passes and openings leave the timeline as the start made it") {
  Started f;
  f.history.add(check_event("database", "unknown", "pass", 1s));
  f.history.add(gate_event("starting", "open", 1s));
  f.history.add(check_event("database", "pass", "fail", 50s));
  f.history.add(check_event("database", "fail", "pass", 60s));
  f.history.add(gate_event("closed", "open", 60s));
  CHECK((f.history.timeline()[0].passed == Duration(1s)));
  CHECK((f.history.opened_after() == Duration(1s)));
}

TEST_CASE("A reload before the gate opened changes the steps of the start, one after it does not") {
  Started f;
  f.history.add(check_event("database", "unknown", "pass", 1s));
  HealthModel next({policy("queue"), policy("database")}, f.start, kWall);
  f.history.set_checks(next, 4s);
  REQUIRE(f.history.timeline().size() == 2);
  CHECK(f.history.timeline()[0].check == "queue");
  CHECK((f.history.timeline()[0].runnable == Duration(4s)));
  CHECK((f.history.timeline()[1].passed == Duration(1s)));

  f.history.add(gate_event("starting", "open", 5s));
  HealthModel later({policy("search")}, f.start, kWall);
  f.history.set_checks(later, 6s);
  REQUIRE(f.history.timeline().size() == 2);
  CHECK(f.history.timeline()[0].check == "queue");
  CHECK(f.history.samples(0).empty());
}

TEST_CASE("The latest latencies of a check are kept, also when its place in the configuration changes") {
  Started f;
  for (std::size_t i = 0; i < History::kSamples + 1; ++i) f.history.add_run(1, Duration(i * 1ms), i % 2 == 0);
  REQUIRE(f.history.samples(1).size() == History::kSamples);
  CHECK((f.history.samples(1).front().latency == Duration(1ms)));
  CHECK(f.history.samples(1).back().failed);
  HealthModel next({policy("redis"), policy("database")}, f.start, kWall);
  f.history.set_checks(next, 9s);
  CHECK(f.history.samples(0).size() == History::kSamples);
  CHECK(f.history.samples(1).empty());
}

TEST_CASE("When a status changed and when a check last ran is known without the wall clock") {
  Started f;
  CHECK(f.history.changed(0) == Duration(0));
  CHECK_FALSE(f.history.last_run(0));
  f.history.add(check_event("database", "unknown", "pass", 3s));
  f.history.ran(0, 4s);
  CHECK(f.history.changed(0) == Duration(3s));
  CHECK(f.history.last_run(0) == Duration(4s));
  CHECK(f.history.changed(1) == Duration(0));
}

}  // namespace
}  // namespace probegate::health
