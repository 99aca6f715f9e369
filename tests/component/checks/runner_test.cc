// The runner with checks that misbehave in every way it promises to contain.
#include "checks/runner.h"

#include <catch2/catch.hpp>

#include "runner_bench.h"

namespace probegate::checks {
TEST_CASE("Runner makes the first attempt at once") {
  RunnerBench bench;
  auto& check = bench.add("a", pass);
  const auto begun = bench.loop->now();
  bench.run();
  REQUIRE(bench.until_results(1));
  CHECK(bench.status(0) == CheckStatus::pass);
  CHECK(check.start_times[0] - begun < 100ms);
}

TEST_CASE("Runner polls at startup_interval until the first pass and at interval afterwards") {
  RunnerBench bench;
  auto& check = bench.add("a",
                          [](loop::Loop&, const Attempt& attempt, int number) {
                            number < 4 ? attempt.fail(FailKind::connect, "refused") : attempt.pass();
                          },
                          {.interval = 300ms, .startup_interval = 30ms, .initial_delay = 0ms});
  bench.run();
  REQUIRE(bench.until_results(6));
  for (std::size_t i = 1; i <= 4; ++i) {
    // An attempt that its thread began late makes the next one seem early.
    CHECK(check.start_times[i] - check.start_times[i - 1] >= 15ms);
    CHECK(check.start_times[i] - check.start_times[i - 1] < 200ms);
  }
  CHECK(check.start_times[4] - check.start_times[0] >= 4 * 29ms - 15ms);
  CHECK(check.start_times[5] - check.start_times[4] >= 269ms - 15ms);
  CHECK(check.start_times[5] - check.start_times[0] >= 4 * 29ms + 269ms - 15ms);
  CHECK(check.start_times[5] - check.start_times[4] < 450ms);
}

TEST_CASE("Runner never runs two attempts of one check at once") {
  RunnerBench bench;
  auto& check =
      bench.add("slow",
                [&](loop::Loop& loop, const Attempt& attempt, int) {
                  auto& timers = bench.scripts[0]->timers;
                  timers.push_back(std::make_unique<loop::Timer>(loop, [attempt] { attempt.pass(); }));
                  timers.back()->start(60ms);
                },
                {.interval = 10ms, .startup_interval = 10ms, .initial_delay = 0ms});
  bench.run();
  REQUIRE(bench.until_results(4));
  CHECK(check.most_running == 1);
  CHECK(check.made == 1);
}

TEST_CASE("Runner starts a dependent in the turn in which its need passed") {
  RunnerBench bench;
  auto& need = bench.add("database", [](loop::Loop&, const Attempt& attempt, int number) {
    number == 0 ? attempt.fail(FailKind::connect, "refused") : attempt.pass();
  });
  auto& dependent = bench.add("redis", pass, {.interval = 1h, .startup_interval = 1h, .initial_delay = 0ms});
  bench.policies[1].needs = {0};
  bench.run();
  REQUIRE(bench.until_results(1));
  CHECK(bench.status(1) == CheckStatus::waiting);
  CHECK(dependent.starts == 0);
  bench.recorder.on_every_result = [&] {
    if (bench.recorder.results.back().first == 0) CHECK(dependent.starts == 0);
  };
  REQUIRE(bench.until_results(3));
  CHECK(bench.status(1) == CheckStatus::pass);
  CHECK(dependent.start_times[0] - need.start_times[1] < 50ms);
  CHECK(all_passing(*bench.model));
}

TEST_CASE("Runner honours the initial delay") {
  RunnerBench bench;
  auto& check = bench.add("a", pass, {.interval = 1h, .startup_interval = 20ms, .initial_delay = 120ms});
  const auto begun = bench.loop->now();
  bench.run();
  REQUIRE(bench.until_results(1));
  CHECK(check.start_times[0] - begun >= 120ms);
}

TEST_CASE("Runner turns the deadline into a timeout that names the phase, and makes the check anew") {
  RunnerBench bench;
  auto& check = bench.add("silent", stay_silent, kFast, 50ms);
  check.phase = "connecting";
  bench.run();
  REQUIRE(bench.until_results(2));
  CHECK(bench.error(0).kind == FailKind::timeout);
  CHECK(bench.error(0).message == "no answer within 50ms (while connecting)");
  CHECK(bench.status(0) == CheckStatus::fail);
  CHECK(check.made >= 2);
  CHECK(check.alive <= 1);
}

TEST_CASE("Runner contains a check that throws in start") {
  RunnerBench bench;
  auto& bad = bench.add(
      "bad", [](loop::Loop&, const Attempt&, int) { throw std::runtime_error("broken s3cret-word"); });
  bench.add("good", pass);
  bench.run();
  REQUIRE(bench.until_results(3));
  CHECK(bench.status(0) == CheckStatus::fail);
  CHECK(bench.status(1) == CheckStatus::pass);
  CHECK(bench.model->states()[0].error->kind == FailKind::internal);
  CHECK(bench.model->states()[0].error->message == "the check failed: broken ***");
  CHECK(bad.made >= 2);
  CHECK(bench.loop.sink.errors.empty());
}

TEST_CASE("Runner contains a check that throws in a callback of a timer it made") {
  RunnerBench bench;
  auto& bad = bench.add("bad", [&](loop::Loop& loop, const Attempt&, int) {
    auto& timers = bench.scripts[0]->timers;
    timers.push_back(std::make_unique<loop::Timer>(loop, [] { throw 42; }));
    timers.back()->start(5ms);
  });
  bench.run();
  REQUIRE(bench.until_results(2));
  CHECK(bench.error(0).kind == FailKind::internal);
  CHECK(bench.error(0).message == "the check failed: an exception of unknown type");
  CHECK(bad.made == 2);
  CHECK(bench.loop.sink.errors.empty());
}

TEST_CASE("Runner counts an exception thrown between two attempts as a failure") {
  RunnerBench bench;
  auto& bad = bench.add("bad", [&](loop::Loop& loop, const Attempt& attempt, int number) {
    attempt.pass();
    if (number > 0) return;
    auto& timers = bench.scripts[0]->timers;
    timers.push_back(std::make_unique<loop::Timer>(loop, [] { throw std::logic_error("late"); }));
    timers.back()->start(30ms);
  });
  bench.run();
  REQUIRE(bench.until_results(2));
  CHECK(bench.recorder.results[0].second.verdict == Verdict::pass);
  CHECK(bench.error(1).message == "the check failed: late");
  REQUIRE(bench.until([&] { return bad.alive == 0; }));
}

TEST_CASE("Runner restarts a check that throws ever more slowly") {
  RunnerBench bench;
  auto& bad = bench.add("bad", [](loop::Loop&, const Attempt&, int) { throw std::runtime_error("broken"); },
                        {.interval = 10ms, .startup_interval = 10ms, .initial_delay = 0ms});
  bench.run();
  REQUIRE(bench.until_results(4));
  CHECK(bad.start_times[1] - bad.start_times[0] >= 100ms);
  CHECK(bad.start_times[2] - bad.start_times[1] >= 200ms);
  CHECK(bad.start_times[3] - bad.start_times[2] >= 400ms);
}

TEST_CASE("Runner contains a check that cannot be made") {
  RunnerBench bench;
  bench.add("bad", pass).throw_on_make = true;
  bench.run();
  REQUIRE(bench.until_results(1));
  CHECK(bench.error(0).kind == FailKind::internal);
  CHECK(bench.error(0).message == "the check failed: cannot be made");
}

TEST_CASE("Runner ignores a second report and a report after the deadline, and counts them") {
  RunnerBench bench;
  Kept<Attempt> kept;
  bench.add("twice", [](loop::Loop&, const Attempt& attempt, int) {
    attempt.pass();
    attempt.fail(FailKind::answer, "on second thoughts");
  });
  bench.add(
      "late", [&](loop::Loop&, const Attempt& attempt, int) { kept.push_back(attempt); },
      {.interval = 1h, .startup_interval = 1h, .initial_delay = 0ms}, 40ms);
  bench.policies[1].needs = {0};
  bench.run();
  REQUIRE(bench.until_results(2));
  CHECK(bench.status(0) == CheckStatus::pass);
  CHECK(bench.until([&] { return bench.runner->ignored_reports() == 1; }));
  CHECK(bench.status(1) == CheckStatus::fail);
  kept.at(0).pass();
  bench.loop.settle();
  CHECK(bench.runner->ignored_reports() == 2);
  CHECK(bench.recorder.results.size() == 2);
  bench.runner.reset();
  kept.at(0).pass();  // nobody is left to hear it
}

TEST_CASE("Runner that was suspended judges nobody and repeats what was under way") {
  RunnerBench bench;
  auto& check = bench.add("victim", pass_the_second_time, kFast, 400ms);
  bench.run();
  REQUIRE(bench.until([&] { return check.starts == 1; }));
  bench.loop.settle();
  stand_still(bench.loop, 600ms);  // beyond the deadline
  REQUIRE(bench.until_results(2));
  CHECK(bench.recorder.results[0].second.verdict == Verdict::inconclusive);
  CHECK(bench.recorder.results[1].second.verdict == Verdict::pass);
  REQUIRE(bench.recorder.gaps.size() == 1);
  CHECK(bench.recorder.gaps[0] >= 500ms);
  CHECK(check.start_times[1] - check.start_times[0] < 800ms);
  CHECK(bench.model->states()[0].failures == 0);
  CHECK(bench.model->states()[0].inconclusive == 1);
}

TEST_CASE("Runner that was suspended does not believe what came in meanwhile either") {
  RunnerBench bench;
  auto& check = bench.add("quick", [&](loop::Loop& loop, const Attempt& attempt, int number) {
    if (number > 0) return attempt.fail(FailKind::connect, "refused");
    auto& timers = bench.scripts[0]->timers;
    timers.push_back(std::make_unique<loop::Timer>(
        loop, [attempt] { attempt.fail(FailKind::connect, "refused meanwhile"); }));
    timers.back()->start(100ms);
  });
  bench.run();
  REQUIRE(bench.until([&] { return check.starts == 1; }));
  stand_still(bench.loop, 600ms);
  REQUIRE(bench.until_results(2));
  CHECK(bench.recorder.results[0].second.verdict == Verdict::inconclusive);
  CHECK(bench.recorder.results[1].second.verdict == Verdict::fail);
  CHECK(check.starts >= 2);
}

TEST_CASE("Runner does not book a timeout that a short absence of ours caused") {
  RunnerBench bench;
  auto& check = bench.add("victim", pass_the_second_time, kFast, 50ms);
  bench.run();
  REQUIRE(bench.until([&] { return check.starts == 1; }));
  bench.loop.settle(2);
  stand_still(bench.loop, 250ms);
  REQUIRE(bench.until_results(2));
  CHECK(bench.recorder.results[0].second.verdict == Verdict::inconclusive);
  CHECK(bench.recorder.results[1].second.verdict == Verdict::pass);
}

TEST_CASE("Runner takes no freeze between attempts for one within them") {
  RunnerBench bench;
  auto& check = bench.add("a", pass, {.interval = 200ms, .startup_interval = 20ms, .initial_delay = 0ms});
  bench.run();
  REQUIRE(bench.until_results(1));
  bench.loop.settle();
  stand_still(bench.loop, 600ms);
  REQUIRE(bench.until_results(3));
  CHECK(bench.recorder.count(Verdict::inconclusive) == 0);
  CHECK(bench.recorder.gaps.empty());
  CHECK(check.starts == 3);
}

TEST_CASE("Runner judges a websocket check failing when the backend refuses, and asks again soon") {
  RunnerBench bench;
  auto& websocket =
      bench.add("websocket", pass, {.interval = 1h, .startup_interval = 100ms, .initial_delay = 0ms});
  bench.policies[0].type = "websocket";
  bench.policies[0].affects.traffic = true;
  auto& other = bench.add("other", pass);
  bench.run();
  REQUIRE(bench.until_results(2));
  const auto refused = bench.loop->now();
  bench.runner->backend_refused("connection refused");
  CHECK(bench.status(0) == CheckStatus::fail);
  CHECK(bench.model->states()[0].error->message == "connection refused");
  CHECK(bench.recorder.transitions.back().to == CheckStatus::fail);
  CHECK(bench.status(1) == CheckStatus::pass);
  bench.runner->backend_refused("connection refused");  // already failing: no second start
  REQUIRE(bench.until([&] { return bench.status(0) == CheckStatus::pass; }));
  CHECK(websocket.start_times.back() - refused <= 100ms);
  CHECK(websocket.starts == 2);
  CHECK(other.starts == 1);
}

TEST_CASE("Runner discards the attempt that was under way when the backend refused") {
  RunnerBench bench;
  Kept<Attempt> kept;
  auto& websocket = bench.add("websocket",
                              [&](loop::Loop&, const Attempt& attempt, int number) {
                                if (number == 1) return kept.push_back(attempt);
                                attempt.pass();
                              },
                              {.interval = 30ms, .startup_interval = 30ms, .initial_delay = 0ms});
  bench.policies[0].type = "websocket";
  bench.policies[0].affects.traffic = true;
  bench.run();
  REQUIRE(bench.until([&] { return websocket.starts == 2; }));
  bench.runner->backend_refused("connection refused");
  kept.at(0).pass();
  bench.loop.settle(2);
  CHECK(bench.status(0) == CheckStatus::fail);
  CHECK(bench.runner->ignored_reports() == 1);
  REQUIRE(bench.until([&] { return bench.status(0) == CheckStatus::pass; }));
}

TEST_CASE("Runner stops at once, also from within its observer, and may be stopped twice") {
  RunnerBench bench;
  auto& passing = bench.add("a", pass, {.interval = 10ms, .startup_interval = 10ms, .initial_delay = 0ms});
  auto& silent = bench.add("b", stay_silent);
  bench.recorder.on_every_result = [&] { bench.runner->stop(); };
  bench.run();
  REQUIRE(bench.until_results(1));
  CHECK(bench.runner->threads_ended());
  CHECK(passing.alive == 0);
  CHECK(silent.alive == 0);
  const int starts = passing.starts + silent.starts;
  bench.loop.run_for(60ms);
  CHECK(passing.starts + silent.starts == starts);
  CHECK(bench.recorder.results.size() == 1);
  bench.runner->stop();
}

TEST_CASE("Runner has judged all once everybody passed, failed or waits for a failure") {
  RunnerBench bench;
  bench.add("bad", [](loop::Loop&, const Attempt& attempt, int) { attempt.fail(FailKind::auth, "no"); });
  bench.add("waits", pass);
  bench.policies[1].needs = {0};
  bench.run();
  CHECK_FALSE(all_judged(*bench.model));
  REQUIRE(bench.until_results(1));
  CHECK(all_judged(*bench.model));
  CHECK_FALSE(all_passing(*bench.model));
}

}  // namespace probegate::checks
