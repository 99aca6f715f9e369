// The runner around checks that do what the test says.
#pragma once

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "checks/runner.h"
#include "tests/support/test_loop.h"

namespace probegate::checks {

using health::CheckPolicy;
using health::CheckResult;
using health::CheckStatus;
using health::FailKind;
using health::Verdict;
using test::TestLoop;
using namespace std::chrono_literals;

// What a check's thread writes and the test reads.
template <typename T>
class Kept {
 public:
  void push_back(T value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return values_.size();
  }
  bool empty() const { return size() == 0; }
  T at(std::size_t i) const {
    const std::lock_guard lock(mutex_);
    return values_.at(i);
  }
  T operator[](std::size_t i) const { return at(i); }
  T back() const { return at(size() - 1); }

 private:
  mutable std::mutex mutex_;
  std::vector<T> values_;
};

// What every object made for one check shares with the test. `on_start` and `timers` are the check's
// thread's.
struct Script {
  std::function<void(loop::Loop&, const Attempt&, int number)> on_start;
  bool throw_on_make = false;
  bool throw_on_end = false;
  std::function<void()> on_end = [] {};
  const char* phase = nullptr;
  std::atomic<int> starts{0};
  std::atomic<int> made{0};
  std::atomic<int> alive{0};
  std::atomic<int> running{0};  // attempts begun and neither finished nor destroyed
  std::atomic<int> most_running{0};
  Kept<TimePoint> make_times;
  Kept<TimePoint> start_times;
  std::vector<std::unique_ptr<loop::Timer>> timers;
};

class ScriptedCheck final : public Check {
 public:
  ScriptedCheck(loop::Loop& loop, Script& script) : loop_(loop), script_(script) { ++script_.alive; }
  ~ScriptedCheck() noexcept(false) override {
    --script_.alive;
    script_.running = 0;
    script_.timers.clear();
    script_.on_end();
    if (script_.throw_on_end) throw std::runtime_error("no end s3cret-word");
  }

  void start(Attempt attempt, TimePoint) override {
    script_.start_times.push_back(loop_.now());
    script_.most_running = std::max(script_.most_running.load(), ++script_.running);
    const Attempt counted([&script = script_, attempt](CheckResult result) {
      script.running = 0;
      attempt.finish(std::move(result));
    });
    script_.on_start(loop_, counted, script_.starts++);
  }
  const char* phase() const noexcept override { return script_.phase; }

 private:
  loop::Loop& loop_;
  Script& script_;
};

struct Recorder final : RunnerObserver {
  std::vector<std::pair<std::size_t, CheckResult>> results;
  std::vector<health::Transition> transitions;
  std::vector<Duration> gaps;
  std::vector<std::size_t> lost;  // the checks whose threads were
  std::function<void()> on_every_result = [] {};

  void on_result(std::size_t check, const CheckResult& result, Duration) override {
    results.emplace_back(check, result);
    on_every_result();
  }
  void on_transition(const health::Transition& transition) override { transitions.push_back(transition); }
  void on_frozen(Duration gap) override { gaps.push_back(gap); }
  void on_thread_lost(std::size_t check) override { lost.push_back(check); }

  std::size_t count(Verdict verdict) const {
    return static_cast<std::size_t>(std::count_if(
        results.begin(), results.end(), [&](const auto& r) { return r.second.verdict == verdict; }));
  }
};

inline constexpr Pace kFast{.interval = 1h, .startup_interval = 20ms, .initial_delay = 0ms};

// Checks are added, then run() builds the runner around them.
struct RunnerBench {
  TestLoop loop;
  std::atomic<bool> released{false};  // code that hangs until then
  std::vector<std::unique_ptr<Script>> scripts;
  std::vector<CheckPolicy> policies;
  std::vector<PlannedCheck> planned;
  std::vector<PlannedCheck> added;  // the same, once run() has begun
  Recorder recorder;
  std::unique_ptr<health::HealthModel> model;
  std::unique_ptr<Runner> runner;

  ~RunnerBench() {
    released = true;
    if (!runner) return;
    runner->stop();
    CHECK(until([&] { return runner->threads_ended(); }));  // before the scripts go
  }

  Script& add(const std::string& name, std::function<void(loop::Loop&, const Attempt&, int)> on_start,
              Pace pace = kFast, Duration timeout = 5s) {
    auto& script = *scripts.emplace_back(std::make_unique<Script>());
    script.on_start = std::move(on_start);
    policies.push_back({.name = name, .type = "scripted"});
    CheckPlan plan;
    plan.make = [&script](const CheckContext& context) {
      script.make_times.push_back(context.loop.now());
      ++script.made;
      if (script.throw_on_make) throw std::runtime_error("cannot be made");
      return std::make_unique<ScriptedCheck>(context.loop, script);
    };
    plan.secrets = {"s3cret-word"};
    plan.target = name;
    planned.push_back({pace, timeout, std::move(plan), name});
    return script;
  }

  void run() {
    model = std::make_unique<health::HealthModel>(policies, loop->now(), loop->wall_now());
    added = planned;
    runner = std::make_unique<Runner>(loop, *model, std::move(planned), recorder, 1);
    runner->start();
  }
  // A new configuration of these checks, in this order: what was added as number `index`, asking `question`.
  struct Next {
    std::size_t index;
    std::string question;
    Pace pace = kFast;
    std::vector<std::size_t> needs = {};
  };
  void reload(const std::vector<Next>& next) {
    std::vector<CheckPolicy> new_policies;
    std::vector<PlannedCheck> new_planned;
    for (const auto& check : next) {
      new_policies.push_back(policies.at(check.index));
      new_policies.back().needs = check.needs;
      new_planned.push_back(added.at(check.index));
      new_planned.back().question = check.question;
      new_planned.back().pace = check.pace;
    }
    runner->reload(std::move(new_policies), std::move(new_planned));
  }

  bool until(const std::function<bool()>& condition) { return loop.until(condition, 5s); }
  bool until_results(std::size_t n) {
    return until([&] { return recorder.results.size() >= n; });
  }
  CheckStatus status(std::size_t check) const { return model->states()[check].status; }
  const health::CheckError& error(std::size_t result) const {
    return *recorder.results.at(result).second.error;
  }
};

inline void pass(loop::Loop&, const Attempt& attempt, int) { attempt.pass(); }
inline void stay_silent(loop::Loop&, const Attempt&, int) {}
// The first attempt has no end.
inline void pass_the_second_time(loop::Loop&, const Attempt& attempt, int number) {
  if (number == 1) attempt.pass();
}

// Code that does not return before the test lets it.
inline auto hang(RunnerBench& bench) {
  return [&bench](loop::Loop&, const Attempt&, int) {
    while (!bench.released) std::this_thread::yield();
  };
}

// A neighbour that must notice nothing.
inline void expect_undisturbed(RunnerBench& bench, std::size_t neighbour) {
  const auto runs = bench.model->states()[neighbour].runs;
  CHECK(bench.until([&] { return bench.model->states()[neighbour].runs >= runs + 5; }));
  CHECK(bench.model->states()[neighbour].failures == 0);
  CHECK(bench.loop.sink.errors.empty());
}

inline void stand_still(loop::Loop& loop, Duration time) {
  const TimePoint end = loop.now() + time;
  while (loop.now() < end) {
  }
}

}  // namespace probegate::checks
