// Checks whose code does not return, as a library's may not, and what that may cost.
#include <catch2/catch.hpp>

#include "runner_bench.h"

namespace probegate::checks {
namespace {

constexpr Pace kOften{.interval = 10ms, .startup_interval = 10ms, .initial_delay = 0ms};

// Hangs until the test lets it, and passes then.
std::function<void(loop::Loop&, const Attempt&, int)> hang_then_pass(RunnerBench& bench) {
  return [&bench](loop::Loop& loop, const Attempt& attempt, int number) {
    hang(bench)(loop, attempt, number);
    attempt.pass();
  };
}

const health::CheckError* last_error(const RunnerBench& bench, std::size_t check) {
  const auto& error = bench.model->states()[check].error;
  return error ? &*error : nullptr;
}

bool is_internal(const RunnerBench& bench, std::size_t check) {
  const auto* error = last_error(bench, check);
  return error != nullptr && error->kind == FailKind::internal;
}

TEST_CASE("A check whose code does not return is a timeout, its thread is replaced, and others go on") {
  RunnerBench bench;
  auto& stuck = bench.add("stuck", hang(bench), kOften, 50ms);
  bench.add("good", pass, kOften);
  bench.run();
  REQUIRE(bench.until([&] { return bench.model->states()[0].failures >= 1; }));
  CHECK(last_error(bench, 0)->kind == FailKind::timeout);
  CHECK(last_error(bench, 0)->message == "no answer within 50ms (the check code did not return)");
  CHECK(bench.runner->lost_threads() >= 1);
  REQUIRE_FALSE(bench.recorder.lost.empty());
  CHECK(bench.recorder.lost[0] == 0);
  REQUIRE(bench.until([&] { return stuck.starts >= 2; }));  // on a new thread
  expect_undisturbed(bench, 1);
}

TEST_CASE("A check that has lost four threads is internal without an attempt until one returns") {
  RunnerBench bench;
  auto& stuck = bench.add("stuck", hang_then_pass(bench), kOften, 30ms);
  bench.add("good", pass, kOften);
  bench.run();
  REQUIRE(bench.until([&] { return is_internal(bench, 0); }));
  CHECK(bench.runner->lost_threads() == 4);
  CHECK(stuck.starts == 4);
  CHECK(last_error(bench, 0)->message.starts_with("no attempt was made: 4 check threads are blocked"));
  const auto failures = bench.model->states()[0].failures;
  REQUIRE(bench.until([&] { return bench.model->states()[0].failures >= failures + 3; }));
  CHECK(stuck.starts == 4);
  CHECK(bench.recorder.lost.size() == 4);
  expect_undisturbed(bench, 1);
  bench.released = true;
  CHECK(bench.until([&] { return bench.status(0) == CheckStatus::pass; }));
  CHECK(bench.until([&] { return bench.runner->lost_threads() == 0 && stuck.alive == 1; }));
}

TEST_CASE("Six checks that hang at once lose four threads, and all of them come back") {
  RunnerBench bench;
  for (int i = 0; i < 6; ++i) {
    bench.add("stuck" + std::to_string(i), hang_then_pass(bench), kOften, 30ms);
  }
  bench.add("good", pass, kOften);
  std::size_t most = 0;
  bench.recorder.on_every_result = [&] { most = std::max(most, bench.runner->lost_threads()); };
  bench.run();
  const auto all = [&](const std::function<bool(std::size_t)>& condition) {
    return bench.until([&] {
      for (std::size_t i = 0; i < 6; ++i) {
        if (!condition(i)) return false;
      }
      return true;
    });
  };
  REQUIRE(all([&](std::size_t i) { return is_internal(bench, i); }));
  CHECK(bench.runner->lost_threads() == 4);
  CHECK(most == 4);
  expect_undisturbed(bench, 6);
  bench.released = true;
  CHECK(all([&](std::size_t i) { return bench.status(i) == CheckStatus::pass; }));
  CHECK(bench.until([&] { return bench.runner->lost_threads() == 0; }));
  CHECK(most == 4);
}

TEST_CASE("A check that is asked otherwise while its code hangs begins anew on another thread") {
  RunnerBench bench;
  auto& check = bench.add("a", [&](loop::Loop& loop, const Attempt& attempt, int number) {
    if (number == 0) hang(bench)(loop, attempt, number);
    attempt.pass();
  });
  bench.run();
  REQUIRE(bench.until([&] { return check.starts == 1; }));
  bench.reload({{0, "another question"}});
  REQUIRE(bench.until([&] { return bench.status(0) == CheckStatus::pass; }));
  CHECK(bench.until([&] { return bench.runner->lost_threads() == 1; }));
  bench.released = true;
  CHECK(bench.until([&] { return bench.runner->lost_threads() == 0 && check.alive == 1; }));
  CHECK(bench.recorder.results.size() == 1);  // what the old one says counts for nothing
}

TEST_CASE("A destructor that does not return costs its check a thread, and nobody else anything") {
  RunnerBench bench;
  auto& check = bench.add("a", stay_silent, kOften, 30ms);
  check.on_end = [&bench] {
    while (!bench.released) std::this_thread::yield();
  };
  bench.add("good", pass, kOften);
  bench.run();
  REQUIRE(bench.until([&] { return bench.model->states()[0].failures >= 1; }));
  CHECK(last_error(bench, 0)->kind == FailKind::timeout);
  CHECK(bench.runner->lost_threads() >= 1);
  expect_undisturbed(bench, 1);
}

TEST_CASE("The end of a runner does not wait for code that hangs, and says so") {
  RunnerBench bench;
  auto& stuck = bench.add("stuck", hang(bench));
  auto& good = bench.add("good", pass);
  bench.run();
  REQUIRE(bench.until([&] { return stuck.starts == 1 && good.starts == 1; }));
  bench.runner->stop();
  CHECK_FALSE(bench.runner->threads_ended());
  CHECK(good.alive == 0);
  bench.released = true;
  CHECK(bench.until([&] { return bench.runner->threads_ended(); }));
  CHECK(stuck.alive == 0);
}

TEST_CASE("A check whose code takes long but returns in time has its result, and nothing is lost") {
  RunnerBench bench;
  bench.add(
      "slow",
      [&](loop::Loop& loop, const Attempt& attempt, int) {
        stand_still(loop, 450ms);
        attempt.pass();
      },
      kOften);
  bench.add("good", pass, kOften);
  bench.run();
  REQUIRE(bench.until([&] { return bench.model->states()[0].runs >= 2; }));
  CHECK(bench.status(0) == CheckStatus::pass);
  CHECK(bench.model->states()[0].inconclusive == 0);
  CHECK(*bench.model->states()[0].latency >= 450ms);
  CHECK(bench.runner->lost_threads() == 0);
  expect_undisturbed(bench, 1);
}

TEST_CASE("Fifty checks on fifty threads live through reloads, refusals and hanging code") {
  RunnerBench bench;
  std::vector<RunnerBench::Next> next;
  for (std::size_t i = 0; i < 50; ++i) {
    if (i % 10 == 0) {
      bench.add("check" + std::to_string(i), hang_then_pass(bench), kOften, 20ms);
    } else if (i % 10 == 1) {
      bench.add(
          "check" + std::to_string(i),
          [](loop::Loop&, const Attempt&, int) { throw std::runtime_error("broken"); }, kOften);
    } else {
      bench.add("check" + std::to_string(i), pass, kOften);
    }
    bench.policies[i].type = "websocket";
    bench.policies[i].affects.traffic = i % 3 == 0;
    next.push_back({i, "check" + std::to_string(i), kOften});
  }
  bench.run();
  for (int round = 0; round < 20; ++round) {
    bench.reload(next);
    for (auto& check : next) {
      if ((check.index + static_cast<std::size_t>(round)) % 7 == 0) check.question += "x";
    }
    bench.runner->backend_refused("refused");
    bench.loop.settle(5);
  }
  bench.released = true;
  const auto all_pass = [&] {
    for (std::size_t i = 0; i < 50; ++i) {
      if (i % 10 != 1 && bench.status(i) != CheckStatus::pass) return false;
    }
    return true;
  };
  CHECK(bench.loop.until(all_pass, 60s));
  CHECK(bench.loop.until([&] { return bench.runner->lost_threads() == 0; }, 60s));
  CHECK(bench.loop.sink.errors.empty());
}

}  // namespace
}  // namespace probegate::checks
