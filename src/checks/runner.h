// Runner: polls every check and tells the HealthModel what came out. On the control loop it only schedules,
// keeps deadlines and judges; the checks' own code runs on a thread for each (check_thread.h).
//
// Owns: the threads, their timers and deadlines. Invariants: never two attempts of one check at once; a
// dependent starts in the turn in which the last of its needs passed; whatever a check does, it ends as a
// result of that check. Called from: the control loop only. Observers are called from the runner's own timers
// and messages, so an observer may call stop(); it may not destroy the runner.
//
// A check whose code does not return: its attempt is `timeout` at the deadline, its thread is left behind and
// the next attempt gets a new one. At most kMostLost threads are lost at a time, of all checks together. From
// then on a check without a thread, or with one that is still busy, fails as `internal` without an attempt,
// until one returns. The others go on.
//
// A process that stood still (CPU taken away, SIGSTOP) wakes up to deadlines that passed while nobody was
// looking, and would blame its dependencies. Wall and monotonic clocks alike went on meanwhile, so the only
// witness is our own absence: while attempts are in flight a beat is due every 100 ms, and when 350 ms have
// passed since the last one, whoever notices first (beat, result or deadline), every attempt in flight is
// inconclusive and begins anew; so is one whose deadline we noticed more than a beat late. The limit lies
// well above what a busy loop takes for a turn and below the shortest sensible timeout. Nothing limits the
// repetitions: a process that is never awake for long enough to finish an attempt knows nothing about its
// dependencies, and must not claim otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "checks/check_thread.h"
#include "checks/plan.h"
#include "health/health_model.h"
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
  // The code of this check has not returned; its thread is left behind.
  virtual void on_thread_lost(std::size_t check) { (void)check; }

 protected:
  ~RunnerObserver() = default;
};

class Runner {
 public:
  static constexpr std::size_t kMostLost = 4;

  // `checks` and the model's policies are about the same checks in the same order. All references outlive us.
  Runner(loop::Loop& loop, health::HealthModel& model, std::vector<PlannedCheck> checks,
         RunnerObserver& observer, std::uint64_t seed);
  ~Runner();  // waits a little for the threads, as threads_ended() does
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  void start();  // once; the initial delays count from here
  void stop();   // cancels everything, at once and for good; may be repeated

  // After stop(): waits for the threads to end, at most kLastWait. False: some code does not return, and the
  // process must end without destructors and exit handlers, as a library may be in use.
  [[nodiscard]] bool threads_ended();

  // A new configuration: one entry per check in both, in the same order. A check of the same name that asks
  // the same question goes on with its state, its connection and the attempt under way; what is asked
  // otherwise begins anew, and what is no longer there ends. Not from an observer.
  void reload(std::vector<health::CheckPolicy> policies, std::vector<PlannedCheck> checks);

  // The data plane saw the backend refuse a session: passing websocket checks with `traffic` are judged
  // failing now and asked again within their startup_interval.
  void backend_refused(std::string_view message);

  // When its next attempt begins; empty while one is under way or it waits for others.
  std::optional<TimePoint> next_run(std::size_t check) const;

  // Threads that have been left behind and whose code has not returned yet.
  std::size_t lost_threads() const;

  // Reports that came twice or too late, all checks together.
  std::uint64_t ignored_reports() const;

 private:
  struct Job;
  // A thread that was asked to end.
  struct Leaving {
    std::unique_ptr<CheckThread> thread;
    TimePoint since;
    bool lost;           // its code did not return in time
    bool ended = false;  // it says so
  };

  std::vector<health::Origin> origins(const std::vector<health::CheckPolicy>& policies,
                                      const std::vector<PlannedCheck>& checks) const;
  void take_over(Job& job, std::size_t index, PlannedCheck planned);
  void begin_first(Job& job);
  void on_due(Job& job);
  void on_retry(Job& job);
  void begin(Job& job);
  std::optional<health::CheckResult> attempt(Job& job);
  void cancel(Job& job);
  void leave(Job& job, bool lost);
  void take_reports();
  void take_report(ThreadReport& report);
  void take_result(Job& job, ThreadReport& report);
  void on_thread_ended(ThreadReport& report);
  void on_deadline(Job& job);
  void give_up(Job& job);
  void conclude(Job& job, health::CheckResult result, bool crashed = false);
  void wait_until(Job& job, TimePoint at);
  bool stood_still();
  void repeat(Job& job, Duration absent);
  void beat();
  void join_ended();
  bool in_flight() const;
  Job* job_of(std::uint64_t thread);
  double chance() { return std::uniform_real_distribution<double>(0.0, 1.0)(random_); }

  loop::Loop& loop_;
  health::HealthModel& model_;
  RunnerObserver& observer_;
  std::mt19937_64 random_;
  bool running_ = false;
  std::uint64_t late_reports_ = 0;
  std::uint64_t next_thread_ = 1;
  const std::shared_ptr<ThreadReports> reports_ = std::make_shared<ThreadReports>();  // owners: we, threads
  loop::Timer heartbeat_;
  TimePoint last_beat_{};
  std::vector<Leaving> leaving_;
  std::vector<std::unique_ptr<Job>> jobs_;
};

// For `probegate check`: what the model says once the runner has run for a while.
bool all_passing(const health::HealthModel& model);
// Every check has been judged or waits for one that failed: without --wait there is nothing to wait for.
bool all_judged(const health::HealthModel& model);

}  // namespace probegate::checks
