// Runner: polls every check and reports the results to the HealthModel. On the control loop it only
// schedules, watches deadlines and evaluates; the code of each check runs on its own thread (check_thread.h).
//
// Owns: the threads, their timers and deadlines. Invariants: never two attempts of one check at once; a check
// starts in the loop iteration in which the last of its `needs` passed; any error in a check becomes a result
// of that check. Called from: the control loop only. Observers are called from the runner's own timers and
// messages, so an observer may call stop(); it may not destroy the runner.
//
// If the code of a check does not return, the attempt is `timeout` at the deadline, the thread is abandoned
// and the next attempt gets a new one. At most kMostLost threads of all checks may be abandoned at a time.
// After that, a check without a free thread fails as `internal` without an attempt, until a thread returns.
// Other checks continue.
//
// After a suspension of the process (no CPU, SIGSTOP) deadlines have passed although the dependencies are
// healthy. Wall and monotonic clocks both run during a suspension, so it is detected by missing beats: while
// attempts run, a beat is due every 100 ms. If 350 ms have passed since the last one when a beat, result or
// deadline is handled, every running attempt is inconclusive and repeated; so is an attempt whose deadline
// fires more than a beat late. The limit is well above one iteration of a busy loop and below the shortest
// sensible timeout. Repetitions are not limited: a process that never runs long enough to finish an attempt
// knows nothing about its dependencies.
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

// Interface for logs, metrics, the gate and `probegate check`. The model is updated before these are called,
// and the transitions of a result are reported before the result.
class RunnerObserver {
 public:
  virtual void on_result(std::size_t check, const health::CheckResult& result, Duration latency) = 0;
  virtual void on_transition(const health::Transition& transition) = 0;
  // The process was suspended for `gap` during attempts; their results follow.
  virtual void on_frozen(Duration gap) { (void)gap; }
  // The code of this check did not return; its thread was abandoned.
  virtual void on_thread_lost(std::size_t check) { (void)check; }

 protected:
  ~RunnerObserver() = default;
};

class Runner {
 public:
  static constexpr std::size_t kMostLost = 4;

  // `checks` and the model's policies have the same checks in the same order. All references must
  // outlive the runner.
  Runner(loop::Loop& loop, health::HealthModel& model, std::vector<PlannedCheck> checks,
         RunnerObserver& observer, std::uint64_t seed);
  ~Runner();  // waits for the threads like threads_ended()
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  void start();  // call once; initial delays count from here
  void stop();   // cancels everything at once and permanently; may be called again

  // After stop(): waits at most kLastWait for the threads to end. False: some code does not return, and the
  // process must end without destructors and exit handlers, because a library may still be in use.
  [[nodiscard]] bool threads_ended();

  // Applies a new configuration: one entry per check in both, in the same order. A check with the same name
  // and target keeps its state, its connection and its running attempt; with another target it starts from
  // scratch; a removed check ends. Do not call it from an observer.
  void reload(std::vector<health::CheckPolicy> policies, std::vector<PlannedCheck> checks);

  // The proxy saw the backend refuse a session: passing websocket checks with `traffic` fail at once and run
  // again within their startup_interval.
  void backend_refused(std::string_view message);

  // When the next attempt begins; empty during an attempt or while the check waits for its `needs`.
  std::optional<TimePoint> next_run(std::size_t check) const;

  // Abandoned threads whose code has not returned yet.
  std::size_t lost_threads() const;

  // Duplicate and late reports of all checks.
  std::uint64_t ignored_reports() const;

 private:
  struct Job;
  // A thread that is ending.
  struct Leaving {
    std::unique_ptr<CheckThread> thread;
    TimePoint since;
    bool lost;           // its code did not return in time
    bool ended = false;  // it has reported its end
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
  bool was_suspended();
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
  const std::shared_ptr<ThreadReports> reports_ = std::make_shared<ThreadReports>();  // owners: this, threads
  loop::Timer heartbeat_;
  TimePoint last_beat_{};
  std::vector<Leaving> leaving_;
  std::vector<std::unique_ptr<Job>> jobs_;
};

// For `probegate check`: whether every check passes.
bool all_passing(const health::HealthModel& model);
// Every check has a result or waits for one that failed: without --wait there is nothing more to wait for.
bool all_judged(const health::HealthModel& model);

}  // namespace probegate::checks
