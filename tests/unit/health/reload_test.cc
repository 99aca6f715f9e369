// A new configuration under a model that has judged already.
#include <catch2/catch.hpp>

#include "model_fixture.h"

namespace probegate::health {
namespace {

const Origin kNew{};
Origin same(std::size_t before) { return {before, true}; }
Origin changed(std::size_t before) { return {before, false}; }

// database passes, redis (needs database) has failed twice, broker waits for redis.
struct Reloaded : ModelFixture {
  Reloaded()
      : ModelFixture({policy("database"), policy("redis", {}, {0}), policy("broker", kReadinessOnly, {1})}) {
    pass(0);
    advance(1s);
    fail(1);
    fail(1);
    advance(1s);
  }
  std::vector<Transition> reload(std::vector<CheckPolicy> policies, const std::vector<Origin>& origins) {
    return model.reload(std::move(policies), origins, wall());
  }
};

TEST_CASE("A check that asks the same question keeps its state, wherever it stands now") {
  Reloaded f;
  const auto moved = f.reload({policy("redis", {}, {1}), policy("database")}, {same(1), same(0)});
  CHECK(moved.empty());
  CHECK(f.status(0) == CheckStatus::fail);
  CHECK(f.state(0).runs == 2);
  CHECK(f.state(0).consecutive_failures == 2);
  CHECK(f.state(0).since == kWall + 1s);
  CHECK(f.state(0).error->message == "connection refused");
  CHECK(f.status(1) == CheckStatus::pass);
  CHECK(f.state(1).since == kWall);
  CHECK(f.state(1).startup);
}

TEST_CASE("A new threshold counts from the failures there were") {
  Reloaded f;
  f.fail(0);
  f.fail(0);
  CHECK(f.status(0) == CheckStatus::pass);
  auto strict = policy("database");
  strict.fall = 2;
  f.reload({strict}, {same(0)});
  CHECK(f.status(0) == CheckStatus::pass);
  f.fail(0);
  CHECK(f.status(0) == CheckStatus::fail);
}

TEST_CASE("A new check is one that nobody has judged") {
  Reloaded f;
  CHECK(f.reload({policy("database"), policy("mail")}, {same(0), kNew}).empty());
  CHECK(f.status(1) == CheckStatus::unknown);
  CHECK(f.model.runnable(1));
  CHECK(f.state(1).runs == 0);
  CHECK(f.state(1).since == f.wall());
}

TEST_CASE("A passing check with another question is unknown until that has been answered") {
  Reloaded f;
  f.reload({policy("database")}, {changed(0)});
  CHECK(f.status(0) == CheckStatus::unknown);
  CHECK(f.state(0).runs == 0);
  CHECK_FALSE(f.state(0).ever_passed());
  f.fail(0);  // the first result of all counts alone
  CHECK(f.status(0) == CheckStatus::fail);
}

TEST_CASE("A failing check with another question stays failing until that has been answered") {
  Reloaded f;
  f.reload({policy("database"), policy("redis", {}, {0})}, {same(0), changed(1)});
  CHECK(f.status(1) == CheckStatus::fail);
  CHECK(f.state(1).since == kWall + 1s);
  CHECK(f.state(1).error->message == "connection refused");
  CHECK(f.state(1).runs == 0);
  CHECK(f.model.runnable(1));
  CHECK(f.pass(1).size() == 1);
  CHECK(f.status(1) == CheckStatus::pass);
}

TEST_CASE("A check that waits is released when what it waits for is gone") {
  Reloaded f;
  REQUIRE(f.status(2) == CheckStatus::waiting);
  const auto moved =
      f.reload({policy("broker", kReadinessOnly, {1}), policy("database")}, {same(2), same(0)});
  REQUIRE(moved.size() == 1);
  CHECK(moved[0].check == 0);
  CHECK(moved[0].from == CheckStatus::waiting);
  CHECK(moved[0].to == CheckStatus::unknown);
  CHECK(f.state(0).waiting_for.empty());
}

TEST_CASE("A check that waits goes on waiting, for its needs of now") {
  Reloaded f;
  CHECK(f.reload({policy("mail"), policy("broker", kReadinessOnly, {0})}, {kNew, same(2)}).empty());
  CHECK(f.status(1) == CheckStatus::waiting);
  CHECK(f.state(1).waiting_for == std::vector<std::size_t>{0});
  CHECK(f.state(1).since == kWall);
  CHECK(f.pass(0).size() == 2);
  CHECK(f.status(1) == CheckStatus::unknown);
}

TEST_CASE("A check that has begun does not wait for needs it is given later") {
  Reloaded f;
  f.reload({policy("database", {}, {1}), policy("mail")}, {same(0), kNew});
  CHECK(f.status(0) == CheckStatus::pass);
  CHECK(f.model.runnable(0));
}

TEST_CASE("A new check waits for a need that has not passed, and not for one that has") {
  Reloaded f;
  f.reload({policy("database"), policy("redis", {}, {0}), policy("a", {}, {0}), policy("b", {}, {0, 1})},
           {same(0), same(1), kNew, kNew});
  CHECK(f.status(2) == CheckStatus::unknown);
  CHECK(f.status(3) == CheckStatus::waiting);
  CHECK(f.state(3).waiting_for == std::vector<std::size_t>{1});
}

TEST_CASE("Once open, the gate is closed by no check that has not been judged, and by its first failure") {
  ModelFixture f({policy("database")});
  Gate gate({120s, StartupTimeoutPolicy::fail}, f.start);
  f.pass(0);
  gate.update(f.model, f.now());
  REQUIRE(gate.state() == GateState::open);
  f.model.reload({policy("database"), policy("websocket", {true, true, true})}, {changed(0), kNew}, f.wall());
  CHECK_FALSE(gate.update(f.model, f.now()));
  CHECK(Gate::waiting_for(f.model, gate.ever_opened()).empty());
  f.fail(1);
  CHECK(gate.update(f.model, f.now()));
  CHECK(gate.state() == GateState::closed);
}

TEST_CASE("A reload opens a closed gate no sooner than the changed check has passed") {
  ModelFixture f({policy("websocket", {true, true, true})});
  Gate gate({120s, StartupTimeoutPolicy::fail}, f.start);
  f.pass(0);
  gate.update(f.model, f.now());
  f.refuse(0);
  gate.update(f.model, f.now());
  REQUIRE(gate.state() == GateState::closed);
  f.model.reload({policy("websocket", {true, true, true})}, {changed(0)}, f.wall());
  CHECK_FALSE(gate.update(f.model, f.now()));
  f.pass(0);
  CHECK(gate.update(f.model, f.now()));
  CHECK(gate.state() == GateState::open);
}

TEST_CASE("Before it has opened, the gate waits for the startup checks of now") {
  ModelFixture f({policy("database"), policy("redis")});
  Gate gate({120s, StartupTimeoutPolicy::fail}, f.start);
  f.pass(0);
  f.model.reload({policy("database"), policy("mail")}, {same(0), kNew}, f.wall());
  CHECK_FALSE(gate.update(f.model, f.now()));
  f.model.reload({policy("database")}, {same(0)}, f.wall());
  CHECK(gate.update(f.model, f.now()));
  CHECK(gate.state() == GateState::open);
}

TEST_CASE("A longer startup_timeout revives a startup that has failed, and counts from the start") {
  ModelFixture f({policy("database")});
  Gate gate({10s, StartupTimeoutPolicy::fail}, f.start);
  f.advance(11s);
  gate.update(f.model, f.now());
  REQUIRE(gate.state() == GateState::failed);
  gate.set_policy({10s, StartupTimeoutPolicy::fail});  // the same: nothing happens
  CHECK(gate.state() == GateState::failed);
  gate.set_policy({20s, StartupTimeoutPolicy::fail});
  gate.update(f.model, f.now());
  CHECK(gate.state() == GateState::starting);
  CHECK(gate.next_deadline() == f.start + 20s);
  f.advance(9s);
  gate.update(f.model, f.now());
  CHECK(gate.state() == GateState::failed);
}

TEST_CASE("A new startup policy changes nothing once the gate has opened or drains") {
  ModelFixture f({policy("database")});
  Gate gate({10s, StartupTimeoutPolicy::fail}, f.start);
  f.pass(0);
  gate.update(f.model, f.now());
  gate.set_policy({1s, StartupTimeoutPolicy::exit});
  f.advance(30s);
  CHECK_FALSE(gate.update(f.model, f.now()));
  CHECK_FALSE(gate.next_deadline());
  gate.drain();
  gate.set_policy({2s, StartupTimeoutPolicy::wait});
  CHECK(gate.state() == GateState::draining);
}

}  // namespace
}  // namespace probegate::health
