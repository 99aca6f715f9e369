#include "health/gate.h"

#include <catch2/catch.hpp>
#include <functional>
#include <ostream>

#include "model_fixture.h"

namespace probegate::health {

std::ostream& operator<<(std::ostream& out, GateState state) { return out << to_string(state); }

namespace {

// database: startup and readiness. websocket: startup, readiness, traffic, needs database. auth: reported
// only.
struct GateFixture : ModelFixture {
  explicit GateFixture(StartupTimeoutPolicy on_timeout = StartupTimeoutPolicy::fail)
      : ModelFixture(
            {policy("database"), policy("websocket", {true, true, true}, {0}), policy("auth", kNothing)}),
        gate(GatePolicy{120s, on_timeout}, start) {}

  bool update() { return gate.update(model, now()); }
  void start_up() {
    pass(0);
    pass(1);
    update();
  }
  void fall(std::size_t check) {
    for (int i = 0; i < 3; ++i) fail(check);
  }

  Gate gate;
};

TEST_CASE("Gate opens at the update after the last startup check passed, and says after how long") {
  GateFixture f;
  CHECK_FALSE(f.update());
  f.pass(0);
  f.advance(2s);
  CHECK_FALSE(f.update());
  f.pass(1);
  CHECK(f.update());
  CHECK(f.gate.state() == GateState::open);
  CHECK(f.gate.ever_opened());
  CHECK(f.gate.opened_after() == Duration(2s));
  CHECK_FALSE(f.gate.next_deadline());
}

TEST_CASE("Gate opens at the first update when no check affects startup") {
  ModelFixture f({policy("auth", kNothing), policy("api", kReadinessOnly), policy("ws", kTrafficOnly)});
  Gate gate({}, f.start);
  CHECK(gate.state() == GateState::starting);
  CHECK(gate.update(f.model, f.now()));
  CHECK(gate.state() == GateState::open);
  CHECK_FALSE(gate.update(f.model, f.now()));
}

TEST_CASE("Gate does not open while a traffic check fails, startup check or not") {
  ModelFixture f({policy("database", kStartupOnly), policy("websocket", kTrafficOnly)});
  Gate gate({}, f.start);
  f.pass(0);
  f.fail(1);
  CHECK_FALSE(gate.update(f.model, f.now()));
  CHECK(Gate::waiting_for(f.model, false) == std::vector<std::size_t>{1});
  f.pass(1);
  CHECK(gate.update(f.model, f.now()));
  CHECK(gate.state() == GateState::open);
}

TEST_CASE("Gate stays open when a startup or readiness check fails later") {
  GateFixture f;
  f.start_up();
  f.fall(0);
  CHECK(f.status(0) == CheckStatus::fail);
  CHECK_FALSE(f.update());
  CHECK(f.gate.state() == GateState::open);
  CHECK(Gate::waiting_for(f.model, true) == std::vector<std::size_t>{0});
}

TEST_CASE("Gate closes while a traffic check fails and opens again, and the startup latch stays") {
  GateFixture f;
  f.start_up();
  f.advance(60s);
  f.refuse(1);
  CHECK(f.update());
  CHECK(f.gate.state() == GateState::closed);
  CHECK(f.gate.ever_opened());
  CHECK(f.gate.opened_after() == Duration(0s));
  f.pass(1);
  CHECK(f.update());
  CHECK(f.gate.state() == GateState::open);
}

TEST_CASE("Gate fails at the deadline and not a nanosecond before") {
  GateFixture f;
  REQUIRE(f.gate.next_deadline() == f.start + 120s);
  f.advance(120s - 1ns);
  CHECK_FALSE(f.update());
  f.advance(1ns);
  CHECK(f.update());
  CHECK(f.gate.state() == GateState::failed);
  CHECK(f.gate.startup_timed_out());
  CHECK_FALSE(f.gate.next_deadline());
}

TEST_CASE("Gate that fails can still open late") {
  for (const auto on_timeout : {StartupTimeoutPolicy::fail, StartupTimeoutPolicy::exit}) {
    GateFixture f(on_timeout);
    f.advance(121s);
    f.update();
    REQUIRE(f.gate.state() == GateState::failed);
    f.start_up();
    CHECK(f.gate.state() == GateState::open);
    CHECK(f.gate.opened_after() == Duration(121s));
  }
}

TEST_CASE("Gate under `wait` stays starting after the timeout, and remembers it") {
  GateFixture f(StartupTimeoutPolicy::wait);
  f.advance(121s);
  CHECK_FALSE(f.update());
  CHECK(f.gate.state() == GateState::starting);
  CHECK(f.gate.startup_timed_out());
  f.start_up();
  CHECK(f.gate.state() == GateState::open);
}

TEST_CASE("Gate with startup_timeout 0 waits for ever") {
  GateFixture f;
  Gate gate({Duration(0), StartupTimeoutPolicy::fail}, f.start);
  CHECK_FALSE(gate.next_deadline());
  f.advance(24h * 365);
  CHECK_FALSE(gate.update(f.model, f.now()));
  CHECK(gate.state() == GateState::starting);
  CHECK_FALSE(gate.startup_timed_out());
}

TEST_CASE("Gate that can open in the very turn of its deadline opens") {
  GateFixture f(StartupTimeoutPolicy::exit);
  f.advance(120s);
  f.start_up();
  CHECK(f.gate.state() == GateState::open);
  CHECK_FALSE(f.gate.startup_timed_out());
}

TEST_CASE("Gate does not count frozen time against the startup timeout") {
  GateFixture f;
  f.advance(500s);
  f.gate.excuse(450s);
  CHECK_FALSE(f.update());
  CHECK(f.gate.next_deadline() == f.start + 570s);
  f.advance(70s);
  CHECK(f.update());
  CHECK(f.gate.state() == GateState::failed);
}

TEST_CASE("Gate resumes as what it was before the drain, and looks at the checks again") {
  GateFixture f;
  f.gate.drain();
  CHECK_FALSE(f.gate.opened_before_drain());
  f.gate.resume(f.now());
  CHECK(f.gate.state() == GateState::starting);
  f.start_up();
  f.gate.drain();
  CHECK(f.gate.opened_before_drain());
  f.fall(1);
  f.gate.resume(f.now());
  CHECK_FALSE(f.gate.opened_before_drain());
  CHECK(f.update());
  CHECK(f.gate.state() == GateState::closed);
}

TEST_CASE("Gate goes where the table says from every state on every event") {
  using S = GateState;
  struct Event {
    const char* name;
    std::function<void(GateFixture&)> happen;
  };
  const Event events[] = {
      {"nothing changed", [](GateFixture& f) { f.update(); }},
      {"every check passes", [](GateFixture& f) { f.start_up(); }},
      {"the readiness check falls", [](GateFixture& f) { f.fall(0), f.update(); }},
      {"the traffic check falls", [](GateFixture& f) { f.pass(0), f.fall(1), f.update(); }},
      {"a reported check falls", [](GateFixture& f) { f.fall(2), f.update(); }},
      {"the startup timeout passes", [](GateFixture& f) { f.advance(200s), f.update(); }},
      {"pause", [](GateFixture& f) { f.gate.pause(f.now(), f.now() + 600s), f.update(); }},
      {"a pause and its end",
       [](GateFixture& f) { f.gate.pause(f.now(), f.now() + 600s), f.advance(600s), f.update(); }},
      {"drain", [](GateFixture& f) { f.gate.drain(), f.update(); }},
      {"resume", [](GateFixture& f) { f.gate.resume(f.now()), f.update(); }},
  };
  struct Row {
    S from;
    std::function<void(GateFixture&)> reach;
    S to[std::size(events)];
  };
  const Row rows[] = {
      {S::starting,
       [](GateFixture&) {},
       {S::starting, S::open, S::starting, S::starting, S::starting, S::failed, S::paused, S::starting,
        S::draining, S::starting}},
      {S::open,
       [](GateFixture& f) { f.start_up(); },
       {S::open, S::open, S::open, S::closed, S::open, S::open, S::paused, S::open, S::draining, S::open}},
      {S::closed,
       [](GateFixture& f) { f.start_up(), f.fall(1), f.update(); },
       {S::closed, S::open, S::closed, S::closed, S::closed, S::closed, S::paused, S::closed, S::draining,
        S::closed}},
      {S::failed,
       [](GateFixture& f) { f.advance(150s), f.update(); },
       {S::failed, S::open, S::failed, S::failed, S::failed, S::failed, S::paused, S::failed, S::draining,
        S::failed}},
      {S::paused,
       [](GateFixture& f) { f.gate.pause(f.now(), f.now() + 600s); },
       {S::paused, S::paused, S::paused, S::paused, S::paused, S::paused, S::paused, S::starting, S::draining,
        S::starting}},
      {S::draining,
       [](GateFixture& f) { f.gate.drain(); },
       {S::draining, S::draining, S::draining, S::draining, S::draining, S::draining, S::draining,
        S::draining, S::draining, S::starting}},
  };
  static_assert(std::size(rows) == std::size(kGateStates));
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < std::size(events); ++i) {
      CAPTURE(row.from, events[i].name);
      GateFixture f;
      row.reach(f);
      REQUIRE(f.gate.state() == row.from);
      const bool latched = f.gate.ever_opened();
      events[i].happen(f);
      CHECK(f.gate.state() == row.to[i]);
      CHECK(f.gate.ever_opened() == (latched || row.to[i] == S::open));
    }
  }
}

TEST_CASE("The startup timeout stands still while the gate is paused") {
  GateFixture f;
  f.advance(100s);
  f.gate.pause(f.now(), f.now() + 60s);
  CHECK(f.gate.next_deadline() == f.now() + 60s);
  f.advance(60s);
  CHECK(f.update());
  CHECK(f.gate.next_deadline() == f.now() + 20s);
  SECTION("also while it is resumed before its time") {
    f.gate.pause(f.now(), f.now() + 60s);
    f.advance(30s);
    f.gate.resume(f.now());
    CHECK(f.gate.next_deadline() == f.now() + 20s);
  }
  SECTION("also where a drain outlives the pause: no more than the pause is excused") {
    f.gate.pause(f.now(), f.now() + 60s);
    f.gate.drain();
    f.advance(70s);
    f.gate.resume(f.now());
    CHECK(f.gate.next_deadline() == f.now() + 10s);
  }
}

TEST_CASE("A second pause sets the time anew") {
  for (const Duration again : {Duration(10s), Duration(600s)}) {
    GateFixture f;
    f.start_up();
    f.gate.pause(f.now(), f.now() + 60s);
    f.advance(30s);
    f.gate.pause(f.now(), f.now() + again);
    f.advance(again - 1ns);
    f.update();
    CHECK(f.gate.state() == GateState::paused);
    f.advance(1ns);
    f.update();
    CHECK(f.gate.state() == GateState::open);
  }
}

TEST_CASE("A gate that was paused before the drain did not serve in it") {
  GateFixture f;
  f.start_up();
  f.gate.pause(f.now(), f.now() + 60s);
  f.gate.drain();
  CHECK_FALSE(f.gate.opened_before_drain());
  CHECK(f.gate.paused());
  f.gate.resume(f.now());
  CHECK_FALSE(f.gate.paused());
}

TEST_CASE("Gate names the causes and not those who merely wait") {
  GateFixture f;
  CHECK(Gate::waiting_for(f.model, false) == std::vector<std::size_t>{0});
  f.pass(0);
  CHECK(Gate::waiting_for(f.model, false) == std::vector<std::size_t>{1});
  f.pass(1);
  CHECK(Gate::waiting_for(f.model, false).empty());
}

TEST_CASE("Gate names a cause that affects nothing itself when a startup check waits for it") {
  ModelFixture f(
      {policy("migrations", kNothing), policy("cache", kNothing, {0}), policy("api", kStartupOnly, {1})});
  CHECK(Gate::waiting_for(f.model, false) == std::vector<std::size_t>{0});
  f.pass(0);
  CHECK(Gate::waiting_for(f.model, false) == std::vector<std::size_t>{1});
}

TEST_CASE("Gate does not search for ever where checks wait for each other") {
  ModelFixture f({policy("a", kStartupOnly, {1}), policy("b", kStartupOnly, {0})});
  CHECK(Gate::waiting_for(f.model, false).empty());
}

TEST_CASE("Gate once opened waits for judged failures of readiness and traffic checks only") {
  ModelFixture f({policy("a", kStartupOnly), policy("b", kReadinessOnly), policy("c", kTrafficOnly),
                  policy("d", kNothing), policy("e", kReadinessOnly)});
  f.fail(0);
  f.fail(1);
  f.fail(2);
  f.fail(3);
  CHECK(Gate::waiting_for(f.model, true) == std::vector<std::size_t>{1, 2});
}

}  // namespace
}  // namespace probegate::health
