// Runner: polls every check on the control loop and tells the HealthModel what came out.
//
// Owns: the check objects, their timers and deadlines.
// Invariants: never two attempts of one check at once; a dependent starts in the turn in which the last of
// its needs passed; whatever a check does, it ends as a result of that check. Called from: the control loop
// only. Results are worked on from the runner's own timers, never inside a check's code, so an observer may
// call stop(); it may not destroy the runner.
//
// A process that stood still (CPU taken away, SIGSTOP) wakes up to deadlines that passed while nobody was
// looking, and would blame its dependencies. Wall and monotonic clocks alike went on meanwhile, so the only
// witness is our own absence: while attempts are in flight a beat is due every 100 ms, and when 350 ms have
// passed since the last one, whoever notices first (beat, result or deadline), every attempt in flight is
// inconclusive and begins anew; so is one whose deadline we noticed more than a beat late. The limit lies
// well above what a busy loop takes for a turn and below the shortest sensible timeout. Nothing limits the
// repetitions: a process that is never awake for long enough to finish an attempt knows nothing about its
// dependencies, and must not claim otherwise. But where the absence was a check's own code that blocked the
// loop, twice in a row, that check has failed, and backs off. Code that was on its way and got no core has
// not blocked anybody: on a starved machine that is every check's lot.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "checks/plan.h"
#include "health/health_model.h"
#include "loop/core_wait.h"
#include "loop/timer.h"

namespace probegate::checks {

// Where logs, metrics, the gate and `probegate check` hang. The model already knows when these are called,
// and a result's transitions are told before the result.
class RunnerObserver {
 public:
  virtual void on_result(std::size_t check, const health::CheckResult& result, Duration latency) = 0;
  virtual void on_transition(const health::Transition& transition) = 0;
  // The process stood still for so long while attempts were under way; their results follow.
  virtual void on_frozen(Duration gap) { (void)gap; }

 protected:
  ~RunnerObserver() = default;
};

class Runner {
 public:
  using CoreWait = std::function<std::optional<Duration>()>;

  // `checks` and the model's policies are about the same checks in the same order. All references outlive us.
  // `core_wait` is for tests, which cannot starve a thread at will.
  Runner(const CheckContext& context, health::HealthModel& model, std::vector<PlannedCheck> checks,
         RunnerObserver& observer, std::uint64_t seed, CoreWait core_wait = loop::core_wait);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  void start();  // once; the initial delays count from here
  void stop();   // cancels everything, at once and for good; may be repeated

  // A new configuration: one entry per check in both, in the same order. A check of the same name that asks
  // the same question goes on with its state, its connection and the attempt under way; what is asked
  // otherwise begins anew, and what is no longer there ends. Not from an observer.
  void reload(std::vector<health::CheckPolicy> policies, std::vector<PlannedCheck> checks);

  // The data plane saw the backend refuse a session: passing websocket checks with `traffic` are judged
  // failing now and asked again within their startup_interval.
  void backend_refused(std::string_view message);

  // When its next attempt begins; empty while one is under way or it waits for others.
  std::optional<TimePoint> next_run(std::size_t check) const;

  // Reports that came twice or too late, all checks together.
  std::uint64_t ignored_reports() const { return ignored_reports_; }

 private:
  struct Job;

  std::vector<health::Origin> origins(const std::vector<health::CheckPolicy>& policies,
                                      const std::vector<PlannedCheck>& checks) const;
  void take_over(Job& job, std::size_t index, PlannedCheck planned);
  void begin_first(Job& job);
  void on_due(Job& job);
  void begin(Job& job);
  void cancel(Job& job);
  static std::string discard(Job& job);
  void on_report(Job& job, std::uint64_t attempt, health::CheckResult result);
  void on_deadline(Job& job);
  void settle();
  void conclude(Job& job, health::CheckResult result);
  void wait_until(Job& job, TimePoint at);
  void start_watch(TimePoint now);
  bool stood_still();
  void blame(Job& job, Duration time);
  void repeat(Job& job, Duration absent);
  void beat();
  bool in_flight() const;
  double chance() { return std::uniform_real_distribution<double>(0.0, 1.0)(random_); }

  const CheckContext context_;
  health::HealthModel& model_;
  RunnerObserver& observer_;
  std::mt19937_64 random_;
  bool running_ = false;
  std::uint64_t ignored_reports_ = 0;
  loop::Timer settle_;
  loop::Timer heartbeat_;
  CoreWait core_wait_;
  TimePoint last_beat_{};
  Duration core_wait_before_{0};  // as of that beat
  std::vector<std::unique_ptr<Job>> jobs_;
};

// For `probegate check`: what the model says once the runner has run for a while.
bool all_passing(const health::HealthModel& model);
// Every check has been judged or waits for one that failed: without --wait there is nothing to wait for.
bool all_judged(const health::HealthModel& model);

}  // namespace probegate::checks
