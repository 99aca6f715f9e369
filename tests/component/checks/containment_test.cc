// What else a check may do to the runner, and does not get away with.
#include <catch2/catch.hpp>
#include <new>

#include "runner_bench.h"

namespace probegate::checks {
namespace {

constexpr Pace kOften{.interval = 10ms, .startup_interval = 10ms, .initial_delay = 0ms};

// Of the check that was added first.
const health::CheckError& first_error(const RunnerBench& bench) {
  const auto& results = bench.recorder.results;
  const auto found =
      std::find_if(results.begin(), results.end(), [](const auto& result) { return result.first == 0; });
  REQUIRE(found != results.end());
  REQUIRE(found->second.error);
  return *found->second.error;
}

TEST_CASE("Runner makes a check that can never be made ever more slowly") {
  RunnerBench bench;
  auto& bad = bench.add("bad", pass, kOften);
  bad.throw_on_make = true;
  bench.add("good", pass, kOften);
  bench.run();
  REQUIRE(bench.until([&] { return bad.made == 4; }));
  const auto& tried = bad.make_times;
  CHECK(tried[1] - tried[0] >= 100ms);
  CHECK(tried[2] - tried[1] >= 200ms);
  CHECK(tried[3] - tried[2] >= 400ms);
  CHECK(bench.model->states()[0].error->kind == FailKind::internal);
  expect_undisturbed(bench, 1);
}

TEST_CASE("Runner contains what the destructor of a check throws after a deadline") {
  RunnerBench bench;
  auto& bad = bench.add("bad", stay_silent, kOften, 30ms);
  bad.throw_on_end = true;
  bench.add("good", pass, kOften);
  bench.run();
  REQUIRE(bench.until([&] { return bench.model->states()[0].failures >= 2; }));
  CHECK(first_error(bench).kind == FailKind::timeout);
  CHECK(first_error(bench).message == "no answer within 30ms; then its destructor failed: no end ***");
  CHECK(bad.start_times.at(1) - bad.start_times.at(0) >= 130ms);  // as after any exception
  CHECK(bad.alive <= 1);
  expect_undisturbed(bench, 1);
}

TEST_CASE(
    "Runner contains what the destructor of a check throws after an exception, a refusal, a reload, a stop") {
  RunnerBench bench;
  auto& bad = bench.add("bad", [](loop::Loop&, const Attempt&, int) { throw std::runtime_error("broken"); });
  bad.throw_on_end = true;
  auto& websocket = bench.add(
      "websocket",
      [](loop::Loop&, const Attempt& attempt, int number) {
        if (number == 0) attempt.pass();
      },
      kOften);
  websocket.throw_on_end = true;
  bench.policies[1].type = "websocket";
  bench.policies[1].affects.traffic = true;
  bench.run();
  REQUIRE(bench.until([&] { return bench.model->states()[0].failures >= 2 && websocket.starts == 2; }));
  bench.runner->backend_refused("connection refused");
  CHECK(bench.status(1) == CheckStatus::fail);
  REQUIRE(bench.until([&] { return websocket.starts == 3; }));
  bench.reload({{1, "asked otherwise"}});
  CHECK(bench.until([&] { return bad.alive == 0; }));
  REQUIRE(bench.until([&] { return websocket.starts == 4; }));
  bench.runner->stop();
  CHECK(bench.runner->threads_ended());
  CHECK(websocket.alive == 0);
  CHECK(bench.loop.sink.errors.empty());
}

TEST_CASE("Runner lets a check destroy what its own callback runs in") {
  RunnerBench bench;
  bench.add("a", [&](loop::Loop& loop, const Attempt& attempt, int) {
    auto& timers = bench.scripts[0]->timers;
    timers.push_back(std::make_unique<loop::Timer>(loop, [&timers, attempt] {
      // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): the closure dies with its timer.
      const Attempt mine = attempt;
      timers.clear();
      mine.pass();
    }));
    timers.back()->start(5ms);
  });
  bench.run();
  REQUIRE(bench.until_results(1));
  CHECK(bench.status(0) == CheckStatus::pass);
}

TEST_CASE("Runner reports a check that ran out of memory, even with a report too long to repeat") {
  RunnerBench bench;
  bench.add(
      "bad",
      [](loop::Loop&, const Attempt&, int number) {
        if (number % 2 == 0) throw std::bad_alloc();
        throw std::runtime_error(std::string(1 << 20, 'x'));
      },
      kOften);
  bench.add("good", pass, kOften);
  bench.run();
  REQUIRE(bench.until([&] { return bench.model->states()[0].failures >= 2; }));
  CHECK(first_error(bench).kind == FailKind::internal);
  CHECK(first_error(bench).message == "the check failed: std::bad_alloc");
  CHECK(bench.model->states()[0].error->message.size() < 4096);
  expect_undisturbed(bench, 1);
}

TEST_CASE("Runner takes an attempt that a copy of it reports a thousand times for one result") {
  RunnerBench bench;
  bench.add("a",
            [](loop::Loop&, const Attempt& attempt, int) {
              for (int i = 0; i < 1000; ++i) attempt.fail(FailKind::answer, std::to_string(i));
            },
            {.interval = 1h, .startup_interval = 1h, .initial_delay = 0ms});
  bench.run();
  REQUIRE(bench.until_results(1));
  CHECK(first_error(bench).message == "0");
  CHECK(bench.until([&] { return bench.runner->ignored_reports() == 999; }));
}

}  // namespace
}  // namespace probegate::checks
