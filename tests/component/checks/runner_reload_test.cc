// The runner while its checks are replaced under it.
#include <catch2/catch.hpp>

#include "runner_bench.h"

namespace probegate::checks {

TEST_CASE("Runner keeps the object, the state and the attempt under way of a check that asks the same") {
  RunnerBench bench;
  Kept<Attempt> kept;
  auto& check = bench.add("a",
                          [&](loop::Loop&, const Attempt& attempt, int number) {
                            number == 0 ? attempt.pass() : kept.push_back(attempt);
                          },
                          {.interval = 30ms, .startup_interval = 30ms, .initial_delay = 0ms});
  bench.add("b", pass);
  bench.run();
  REQUIRE(bench.until([&] { return kept.size() == 1; }));
  bench.reload({{1, "b"}, {0, "a", {.interval = 1h, .startup_interval = 30ms, .initial_delay = 0ms}}});
  CHECK(bench.status(1) == CheckStatus::pass);
  CHECK(bench.model->states()[1].runs == 1);
  kept.at(0).fail(FailKind::connect, "refused");
  REQUIRE(bench.until([&] { return bench.model->states()[1].runs == 2; }));
  CHECK(bench.recorder.results.back().first == 1);
  CHECK(bench.model->states()[1].consecutive_failures == 1);
  CHECK(check.made == 1);
  CHECK(check.alive == 1);
}

TEST_CASE("Runner makes a check that asks another question anew, and forgets the attempt under way") {
  RunnerBench bench;
  Kept<Attempt> kept;
  auto& check = bench.add("a", [&](loop::Loop&, const Attempt& attempt, int number) {
    number == 0 ? kept.push_back(attempt) : attempt.pass();
  });
  bench.run();
  REQUIRE(bench.until([&] { return kept.size() == 1; }));
  bench.reload({{0, "another question"}});
  CHECK(bench.status(0) == CheckStatus::unknown);
  kept.at(0).fail(FailKind::connect, "of the old question");
  REQUIRE(bench.until_results(1));
  bench.loop.settle();
  CHECK(bench.status(0) == CheckStatus::pass);
  CHECK(bench.model->states()[0].runs == 1);
  CHECK(check.made == 2);
  CHECK(check.alive == 1);
}

TEST_CASE("Runner ends a check that is gone with all it held, and begins one that is new") {
  RunnerBench bench;
  auto& gone = bench.add("gone", [&](loop::Loop& loop, const Attempt&, int) {
    auto& timers = bench.scripts[0]->timers;
    timers.push_back(std::make_unique<loop::Timer>(loop, [] { throw std::logic_error("from the grave"); }));
    timers.back()->start(20ms);
  });
  auto& fresh = bench.add("new", pass, {.interval = 1h, .startup_interval = 20ms, .initial_delay = 50ms});
  bench.policies[1].needs = {0};  // so it does not begin of itself
  bench.run();
  REQUIRE(bench.until([&] { return gone.starts == 1; }));
  const auto reloaded = bench.loop->now();
  bench.reload({{1, "asked otherwise", {.interval = 1h, .startup_interval = 20ms, .initial_delay = 50ms}}});
  CHECK(bench.until([&] { return gone.alive == 0; }));
  REQUIRE(bench.until_results(1));
  CHECK(fresh.start_times.at(0) - reloaded >= 50ms);  // its delay counts from the reload
  CHECK(bench.recorder.results.size() == 1);
  CHECK(bench.loop.sink.errors.empty());
}

TEST_CASE("Runner does not wait for the old interval when the new one is shorter") {
  RunnerBench bench;
  auto& check = bench.add("a", pass);
  bench.run();
  REQUIRE(bench.until_results(1));
  bench.reload({{0, "a", {.interval = 50ms, .startup_interval = 20ms, .initial_delay = 0ms}}});
  REQUIRE(bench.until_results(3));
  CHECK(check.made == 1);
}

TEST_CASE("Runner asks no sooner because of a reload that changes no pace") {
  RunnerBench bench;
  auto& check = bench.add("a", pass);
  bench.run();
  REQUIRE(bench.until_results(1));
  for (int i = 0; i < 20; ++i) bench.reload({{0, "a"}});
  bench.loop.run_for(60ms);
  CHECK(check.starts == 1);
}

TEST_CASE("Runner begins a check at once when the reload takes away what it waited for") {
  RunnerBench bench;
  bench.add("bad", [](loop::Loop&, const Attempt& attempt, int) { attempt.fail(FailKind::connect, "no"); });
  auto& waits = bench.add("waits", pass, {.interval = 1h, .startup_interval = 1h, .initial_delay = 0ms});
  bench.policies[1].needs = {0};
  bench.run();
  REQUIRE(bench.until_results(1));
  REQUIRE(waits.starts == 0);
  bench.reload({{1, "waits", {.interval = 1h, .startup_interval = 1h, .initial_delay = 0ms}}});
  REQUIRE(bench.until([&] { return bench.status(0) == CheckStatus::pass; }));
  REQUIRE_FALSE(bench.recorder.transitions.empty());
  CHECK(waits.starts == 1);
}

TEST_CASE("Runner lives through a storm of reloads with attempts in every state") {
  RunnerBench bench;
  Kept<Attempt> kept;
  const Pace pace{.interval = 10ms, .startup_interval = 10ms, .initial_delay = 0ms};
  bench.add(
      "silent", [&](loop::Loop&, const Attempt& attempt, int) { kept.push_back(attempt); }, pace, 15ms);
  bench.add("quick", pass, pace);
  bench.add(
      "throws", [](loop::Loop&, const Attempt&, int) { throw std::runtime_error("broken"); }, pace);
  bench.run();
  for (int i = 0; i < 200; ++i) {
    const std::string version = std::to_string(i % 3);
    if (i % 4 == 0) {
      bench.reload({{2, "c", pace}, {1, "quick" + version, pace}});
    } else {
      bench.reload({{0, "silent" + version, pace}, {2, "c" + version, pace, {0}}, {1, "quick", pace}});
    }
    bench.loop.settle(i % 5);
    if (!kept.empty()) kept.at(static_cast<std::size_t>(i) % kept.size()).pass();
  }
  bench.reload({{1, "quick at last", pace}});
  REQUIRE(bench.until([&] { return bench.status(0) == CheckStatus::pass; }));
  CHECK(bench.until([&] { return bench.scripts[0]->alive == 0 && bench.scripts[2]->alive == 0; }));
  CHECK(bench.loop.sink.errors.empty());
}

}  // namespace probegate::checks
