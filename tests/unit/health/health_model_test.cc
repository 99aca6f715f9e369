#include "health/health_model.h"

#include <catch2/catch.hpp>

#include "model_fixture.h"

namespace probegate::health {
namespace {

ModelFixture one(int rise, int fall) {
  CheckPolicy p = policy("database");
  p.rise = rise;
  p.fall = fall;
  return ModelFixture({p});
}

TEST_CASE("A check is unknown until its first result") {
  auto f = one(1, 3);
  CHECK(f.status() == CheckStatus::unknown);
  CHECK_FALSE(f.state().passing());
  CHECK_FALSE(f.state().last_run);
  CHECK_FALSE(f.state().latency);
  CHECK(f.state().since == kWall);
  CHECK(f.model.runnable(0));
}

TEST_CASE("The first failure of all is judged alone") {
  auto f = one(1, 3);
  const auto transitions = f.fail();
  REQUIRE(transitions.size() == 1);
  CHECK(transitions[0].from == CheckStatus::unknown);
  CHECK(transitions[0].to == CheckStatus::fail);
  CHECK(f.state().error == CheckError{FailKind::connect, "connection refused"});
}

TEST_CASE("A passing check falls with the configured number of consecutive failures and not before") {
  auto f = one(1, 3);
  f.pass();
  CHECK(f.fail().empty());
  CHECK(f.fail().empty());
  CHECK(f.status() == CheckStatus::pass);
  CHECK(f.state().consecutive_failures == 2);
  f.advance(7s);
  CHECK(f.fail().size() == 1);
  CHECK(f.status() == CheckStatus::fail);
  CHECK(f.state().since == kWall + 7s);
  CHECK(f.fail().empty());
  CHECK(f.state().failures == 4);
  CHECK(f.state().runs == 5);
}

TEST_CASE("A pass in between sets the count of failures back to zero") {
  auto f = one(1, 3);
  f.pass();
  for (int round = 0; round < 5; ++round) {
    f.fail();
    f.fail();
    f.pass();
    CHECK(f.status() == CheckStatus::pass);
    CHECK(f.state().consecutive_failures == 0);
    CHECK_FALSE(f.state().error);
  }
}

TEST_CASE("rise passes in a row are needed from unknown and from fail, and a failure starts them anew") {
  auto f = one(3, 1);
  f.pass();
  f.pass();
  CHECK(f.status() == CheckStatus::unknown);
  CHECK(f.state().error == CheckError{FailKind::answer, "answers, 2 of 3 passes"});
  f.fail();
  CHECK(f.status() == CheckStatus::fail);
  f.pass();
  f.pass();
  CHECK(f.status() == CheckStatus::fail);
  CHECK(f.pass().size() == 1);
  CHECK(f.status() == CheckStatus::pass);
  CHECK_FALSE(f.state().error);
}

TEST_CASE("The time to the first judged pass is kept for good") {
  auto f = one(2, 1);
  f.advance(1s);
  f.pass();
  CHECK_FALSE(f.state().ever_passed());
  f.advance(20ms);
  f.pass();
  CHECK(f.state().startup == Duration(1020ms));
  f.fail();
  f.advance(10s);
  f.pass();
  f.pass();
  CHECK(f.state().startup == Duration(1020ms));
}

TEST_CASE("A pass over the slow limit is a warning and still passing") {
  CheckPolicy p = policy("database");
  p.slow = 500ms;
  ModelFixture f({p});
  f.pass(0, 500ms);
  CHECK(f.status() == CheckStatus::pass);
  const auto transitions = f.pass(0, 812ms);
  REQUIRE(transitions.size() == 1);
  CHECK(transitions[0].to == CheckStatus::warn);
  CHECK(f.state().passing());
  CHECK(f.state().error == CheckError{FailKind::answer, "slow: 812 ms, limit 500 ms"});
  CHECK(f.pass(0, 812ms).empty());
  CHECK(f.pass(0, 3ms).size() == 1);
  CHECK_FALSE(f.state().error);
}

TEST_CASE("A check's own warning counts as a pass and keeps its reason, slow or not") {
  CheckPolicy p = policy("api");
  p.slow = 500ms;
  ModelFixture f({p});
  f.model.record(0, CheckResult::warn(FailKind::tls, "the certificate expires in 3 days"), 900ms, f.now(),
                 f.wall());
  CHECK(f.status() == CheckStatus::warn);
  CHECK(f.state().error == CheckError{FailKind::tls, "the certificate expires in 3 days"});
}

TEST_CASE("A warning falls like a pass") {
  auto f = one(1, 2);
  f.model.record(0, CheckResult::warn(FailKind::tls, "ends soon"), 1ms, f.now(), f.wall());
  f.fail();
  CHECK(f.status() == CheckStatus::warn);
  f.fail();
  CHECK(f.status() == CheckStatus::fail);
}

TEST_CASE("stable_for must go by without a miss after the first pass") {
  CheckPolicy p = policy("redis");
  p.stable_for = 5s;
  ModelFixture f({p});
  f.pass();
  CHECK(f.status() == CheckStatus::unknown);
  CHECK(f.state().error == CheckError{FailKind::answer, "answers, stable for 0.0 s of 5.0 s"});
  f.advance(4s);
  f.pass();
  CHECK(f.status() == CheckStatus::unknown);
  f.fail();
  CHECK(f.status() == CheckStatus::fail);
  f.advance(1s);
  f.pass();
  f.advance(1200ms);
  f.pass();
  CHECK(f.status() == CheckStatus::fail);
  CHECK(f.state().error == CheckError{FailKind::answer, "answers, stable for 1.2 s of 5.0 s"});
  f.advance(3800ms);
  f.pass();
  CHECK(f.status() == CheckStatus::pass);
}

TEST_CASE("stable_for is asked again after a fall, but not of a check that is still judged passing") {
  CheckPolicy p = policy("redis");
  p.stable_for = 5s;
  p.fall = 2;
  ModelFixture f({p});
  f.pass();
  f.advance(5s);
  f.pass();
  REQUIRE(f.status() == CheckStatus::pass);
  f.fail();
  f.pass();
  CHECK(f.status() == CheckStatus::pass);
  CHECK_FALSE(f.state().error);
  f.fail();
  f.fail();
  f.pass();
  CHECK(f.status() == CheckStatus::fail);
  f.advance(5s);
  f.pass();
  CHECK(f.status() == CheckStatus::pass);
}

TEST_CASE("An inconclusive run is counted and changes nothing else") {
  auto f = one(2, 2);
  f.pass();
  f.inconclusive();
  CHECK(f.state().consecutive_passes == 1);
  f.pass();
  CHECK(f.status() == CheckStatus::pass);
  f.fail();
  const CheckState before = f.state();
  CHECK(f.inconclusive().empty());
  CHECK(f.state().inconclusive == 2);
  CHECK(f.state().runs == before.runs + 1);
  CHECK(f.state().failures == before.failures);
  CHECK(f.state().consecutive_failures == before.consecutive_failures);
  CHECK(f.state().error == before.error);
  CHECK(f.state().latency == before.latency);
  f.fail();
  CHECK(f.status() == CheckStatus::fail);
}

TEST_CASE("Checks wait until all they need has passed once, and say for whom") {
  ModelFixture f(
      {policy("database"), policy("cache"), policy("redis", {}, {0, 1}), policy("websocket", {}, {2})});
  CHECK(f.status(2) == CheckStatus::waiting);
  CHECK_FALSE(f.model.runnable(2));
  CHECK(f.state(2).waiting_for == std::vector<std::size_t>{0, 1});
  f.fail(1);
  f.pass(0);
  CHECK(f.status(2) == CheckStatus::waiting);
  CHECK(f.state(2).waiting_for == std::vector<std::size_t>{1});
  f.advance(1s);
  const auto transitions = f.pass(1);
  REQUIRE(transitions.size() == 2);
  CHECK(transitions[0].check == 1);
  CHECK(transitions[1].check == 2);
  CHECK(transitions[1].from == CheckStatus::waiting);
  CHECK(transitions[1].to == CheckStatus::unknown);
  CHECK(f.state(2).since == kWall + 1s);
  CHECK(f.model.runnable(2));
  CHECK(f.status(3) == CheckStatus::waiting);
}

TEST_CASE("A check that was released stays released when what it needs fails later") {
  CheckPolicy database = policy("database");
  database.fall = 1;
  ModelFixture f({database, policy("redis", {}, {0})});
  f.pass(0);
  f.fail(0);
  CHECK(f.status(0) == CheckStatus::fail);
  CHECK(f.model.runnable(1));
  CHECK(f.status(1) == CheckStatus::unknown);
}

TEST_CASE("A need that passed and failed before the other need passed still counts as passed") {
  CheckPolicy database = policy("database");
  database.fall = 1;
  ModelFixture f({database, policy("cache"), policy("redis", {}, {0, 1})});
  f.pass(0);
  f.fail(0);
  f.pass(1);
  CHECK(f.model.runnable(2));
}

TEST_CASE("A refusal seen by the data plane fails the check at once, and rise passes bring it back") {
  auto f = one(2, 5);
  f.pass();
  f.pass();
  REQUIRE(f.status() == CheckStatus::pass);
  f.advance(3s);
  const auto transitions = f.refuse();
  REQUIRE(transitions.size() == 1);
  CHECK(transitions[0].to == CheckStatus::fail);
  CHECK(f.state().since == kWall + 3s);
  CHECK(f.state().error == CheckError{FailKind::connect, "the backend refused a connection"});
  CHECK(f.state().runs == 2);
  CHECK(f.state().failures == 0);
  CHECK(f.refuse().empty());
  f.pass();
  CHECK(f.status() == CheckStatus::fail);
  f.pass();
  CHECK(f.status() == CheckStatus::pass);
}

TEST_CASE("A refusal starts the time of stability anew") {
  CheckPolicy p = policy("websocket");
  p.stable_for = 5s;
  ModelFixture f({p});
  f.pass();
  f.advance(5s);
  f.pass();
  REQUIRE(f.status() == CheckStatus::pass);
  f.refuse();
  f.pass();
  CHECK(f.status() == CheckStatus::fail);
  f.advance(5s);
  f.pass();
  CHECK(f.status() == CheckStatus::pass);
}

TEST_CASE("A refusal does not judge a check that still waits for others") {
  ModelFixture f({policy("redis"), policy("websocket", {}, {0})});
  CHECK(f.refuse(1).empty());
  CHECK(f.status(1) == CheckStatus::waiting);
  CHECK_FALSE(f.model.runnable(1));
}

TEST_CASE("Every failure kind has its own word") {
  std::vector<std::string> words;
  for (std::size_t kind = 0; kind < metrics::label_count<FailKind>; ++kind)
    words.emplace_back(to_string(static_cast<FailKind>(kind)));
  CHECK(words == std::vector<std::string>{"config", "resolve", "connect", "tls", "auth", "protocol", "answer",
                                          "missing_tables", "timeout", "internal"});
}

}  // namespace
}  // namespace probegate::health
