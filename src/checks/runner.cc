#include "checks/runner.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "checks/presentable.h"

namespace probegate::checks {
namespace {

using namespace std::chrono_literals;
using health::CheckResult;
using health::FailKind;

constexpr Duration kBeat = 100ms;
constexpr Duration kSuspendThreshold = 350ms;
constexpr Duration kGrace = 100ms;     // time for a thread to answer before it counts as blocked
constexpr Duration kLastWait = 250ms;  // time for all threads, at the end of the process

std::string timeout_message(Duration limit, const std::string& more) {
  return "no answer within " + format_duration(limit) + (more.empty() ? "" : " (" + more + ")");
}

// Adds the target to the phase "resolving", so that the message shows which name was resolved.
std::string busy_with(const std::string& phase, const std::string& target) {
  if (phase.empty()) return {};
  return "while " + phase + (phase.starts_with("resolving") && !target.empty() ? " of " + target : "");
}

}  // namespace

// One check, its thread and its attempts.
struct Runner::Job {
  Job(Runner& r, std::size_t i, PlannedCheck p)
      : runner(r),
        index(i),
        planned(std::move(p)),
        make(std::make_shared<const MakeCheck>(planned.plan.make)),
        schedule(planned.pace, r.model_.policies()[i].affects.traffic),
        due(r.loop_, [this] { runner.on_due(*this); }),
        deadline(r.loop_, [this] { runner.on_deadline(*this); }) {}

  Runner& runner;
  std::size_t index;
  PlannedCheck planned;
  std::shared_ptr<const MakeCheck> make;  // owners: this and the running attempts
  Schedule schedule;
  loop::Timer due;
  loop::Timer deadline;
  std::unique_ptr<CheckThread> thread;
  bool busy = false;               // its code has not returned, and it could not get a new thread
  std::uint64_t attempt = 0;       // number of the latest attempt; reports of others are ignored
  std::shared_ptr<Ticket> ticket;  // owners: this, the thread, the check
  bool in_flight = false;
  bool expiring = false;  // the deadline passed, and the thread was asked to end the attempt
  std::optional<CheckResult> without_attempt{};  // result of an attempt without a thread
  TimePoint born{};                              // when the check was added to the runner
  TimePoint next{};                              // when `due` fires
  Duration limit{};                              // of the latest attempt
  TimePoint started{};
  TimePoint ended{};
};

Runner::Runner(loop::Loop& loop, health::HealthModel& model, std::vector<PlannedCheck> checks,
               RunnerObserver& observer, std::uint64_t seed)
    : loop_(loop), model_(model), observer_(observer), random_(seed), heartbeat_(loop, [this] { beat(); }) {
  reports_->channel.open(loop, [this] { take_reports(); });
  for (std::size_t i = 0; i < checks.size(); ++i) {
    jobs_.push_back(std::make_unique<Job>(*this, i, std::move(checks[i])));
  }
}

Runner::~Runner() {
  stop();
  std::ignore = threads_ended();
  reports_->channel.close();
}

void Runner::start() {
  running_ = true;
  for (auto& job : jobs_) {
    job->born = loop_.now();
    if (model_.runnable(job->index)) begin_first(*job);
  }
}

void Runner::stop() {
  running_ = false;
  heartbeat_.stop();
  for (auto& job : jobs_) {
    job->due.stop();
    cancel(*job);
    leave(*job, false);
  }
}

bool Runner::threads_ended() {
  const TimePoint end = loop_.now() + kLastWait;
  std::erase_if(leaving_, [&](const Leaving& leaving) {
    return leaving.thread->join(leaving.lost ? Duration::zero()
                                             : std::max(end - loop_.now(), Duration::zero()));
  });
  return leaving_.empty();
}

std::vector<health::Origin> Runner::origins(const std::vector<health::CheckPolicy>& policies,
                                            const std::vector<PlannedCheck>& checks) const {
  std::vector<health::Origin> found(policies.size());
  for (std::size_t i = 0; i < policies.size(); ++i) {
    for (const auto& job : jobs_) {
      if (model_.policies()[job->index].name != policies[i].name) continue;
      found[i] = {job->index, job->planned.question == checks[i].question};
    }
  }
  return found;
}

void Runner::reload(std::vector<health::CheckPolicy> policies, std::vector<PlannedCheck> checks) {
  const auto from = origins(policies, checks);
  auto old = std::exchange(jobs_, {});
  const auto transitions = model_.reload(std::move(policies), from, loop_.wall_now());
  for (std::size_t i = 0; i < checks.size(); ++i) {
    if (from[i].same_target) {
      jobs_.push_back(std::move(old[*from[i].before]));
      take_over(*jobs_.back(), i, std::move(checks[i]));
    } else {
      jobs_.push_back(std::make_unique<Job>(*this, i, std::move(checks[i])));
      jobs_.back()->born = loop_.now();
    }
  }
  for (auto& job : old) {  // checks that were removed or changed, with their connections
    if (!job) continue;
    cancel(*job);
    leave(*job, false);
  }
  old.clear();
  if (!running_) return;
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    if (!from[i].same_target && model_.runnable(i)) begin_first(*jobs_[i]);
  }
  for (const auto& transition : transitions) begin_first(*jobs_[transition.check]);
  for (const auto& transition : transitions) observer_.on_transition(transition);
}

// A running attempt keeps its old settings. The next one uses the new interval, and starts earlier if
// that is shorter.
void Runner::take_over(Job& job, std::size_t index, PlannedCheck planned) {
  job.index = index;
  const bool same_pace = job.planned.pace == planned.pace;
  job.planned = std::move(planned);
  job.make = std::make_shared<const MakeCheck>(job.planned.plan.make);
  const auto& state = model_.states()[index];
  job.schedule.set_pace(job.planned.pace, model_.policies()[index].affects.traffic);
  if (same_pace || !running_ || job.in_flight || !job.due.active() || state.runs == 0) return;
  if (job.schedule.backing_off()) return;
  const TimePoint at = job.schedule.following(job.started, state, chance());
  if (at < job.next) wait_until(job, at);
}

void Runner::backend_refused(std::string_view message) {
  for (auto& job : jobs_) {
    const auto& policy = model_.policies()[job->index];
    if (!running_ || policy.type != "websocket" || !policy.affects.traffic) continue;
    if (!model_.states()[job->index].passing()) continue;
    if (job->in_flight) {  // it may have begun before the backend failed, and would reopen the gate
      cancel(*job);
      if (job->thread) job->thread->cancel();
    }
    const auto wall = loop_.wall_now();
    const auto text = presentable(message, job->planned.plan.secrets);
    for (const auto& transition : model_.record_refusal(job->index, text, wall)) {
      observer_.on_transition(transition);
    }
    if (!running_) return;  // an observer called stop()
    wait_until(*job, job->schedule.after_refusal(loop_.now()));
  }
}

void Runner::begin_first(Job& job) {
  const TimePoint at = job.schedule.first(job.born, chance());
  // A check that waited for its `needs` needs no additional random delay.
  const bool waited = !model_.policies()[job.index].needs.empty() && job.planned.pace.initial_delay <= 0ns;
  if (waited || at <= loop_.now()) return begin(job);
  wait_until(job, at);
}

void Runner::on_due(Job& job) {
  was_suspended();  // otherwise this attempt would count as interrupted
  begin(job);
}

void Runner::on_retry(Job& job) {
  job.schedule.forget_refusals();
  if (!running_ || job.in_flight || !job.due.active()) return;
  const TimePoint soon = job.schedule.after_refusal(loop_.now());
  if (soon < job.next) wait_until(job, soon);
}

void Runner::begin(Job& job) {
  if (!running_ || job.in_flight) return;
  job.due.stop();
  join_ended();
  job.started = loop_.now();
  if (!in_flight()) {
    last_beat_ = job.started;
    heartbeat_.start_repeating(kBeat);
  }
  job.in_flight = true;
  job.limit = job.planned.timeout;
  ++job.attempt;
  job.without_attempt = attempt(job);
  job.deadline.start(job.without_attempt ? Duration::zero() : job.limit);
}

// Starts the attempt on the check's thread; returns a result if there is no thread for it.
std::optional<CheckResult> Runner::attempt(Job& job) {
  try {
    const bool all_lost = lost_threads() >= kMostLost;
    if ((job.busy || !job.thread) && all_lost) {
      return CheckResult::fail(FailKind::internal, "no attempt was made: " + std::to_string(kMostLost) +
                                                       " check threads are blocked, which is the limit");
    }
    if (job.busy) leave(job, true);
    if (!job.thread) {
      job.thread = std::make_unique<CheckThread>(next_thread_++, model_.policies()[job.index].name, reports_);
    }
    job.ticket = std::make_shared<Ticket>();
    job.thread->start(job.attempt, job.ticket, job.make, job.started + job.limit);
    return std::nullopt;
  } catch (const std::exception& e) {
    return CheckResult::inconclusive(e.what());
  }
}

// Drops the running attempt; its later reports are ignored. The caller ends the check object.
void Runner::cancel(Job& job) {
  job.in_flight = false;
  job.expiring = false;
  job.without_attempt.reset();
  if (job.ticket) job.ticket->give_up();
  job.ticket.reset();
  job.deadline.stop();
}

void Runner::leave(Job& job, bool lost) {
  job.busy = false;
  if (!job.thread) return;
  job.thread->end();
  leaving_.push_back({std::move(job.thread), loop_.now(), lost});
}

void Runner::take_reports() {
  auto reports = reports_->channel.take_all();
  if (!reports.empty()) was_suspended();  // before any of these results is used
  for (auto& report : reports) take_report(report);
}

void Runner::take_report(ThreadReport& report) {
  if (report.kind == ThreadReport::Kind::ended) return on_thread_ended(report);
  Job* const job = job_of(report.thread);
  if (job == nullptr) return;
  if (report.kind == ThreadReport::Kind::retry) return on_retry(*job);
  job->busy = false;
  if (running_) take_result(*job, report);
}

void Runner::take_result(Job& job, ThreadReport& report) {
  const bool of_this = job.in_flight && report.attempt == job.attempt;
  switch (report.kind) {
    case ThreadReport::Kind::result:
      if (!of_this) {
        ++late_reports_;
        return;
      }
      job.ended = report.at;
      return conclude(job, *std::move(report.result));
    case ThreadReport::Kind::crashed:
      if (!job.in_flight) {  // an exception between attempts is also a result
        job.started = report.at;
        ++job.attempt;
      }
      job.ended = report.at;
      return conclude(job, *std::move(report.result), true);
    case ThreadReport::Kind::expired: {
      if (!of_this) return;
      job.ended = loop_.now();
      auto message = timeout_message(job.limit, busy_with(report.phase, job.planned.plan.target));
      if (!report.what.empty()) message += "; then its destructor failed: " + report.what;
      return conclude(job, CheckResult::fail(FailKind::timeout, std::move(message)), !report.what.empty());
    }
    case ThreadReport::Kind::retry:
    case ThreadReport::Kind::ended: return;
  }
}

void Runner::on_thread_ended(ThreadReport& report) {
  if (Job* const job = job_of(report.thread)) {  // without end(): no memory or descriptors for its loop
    leave(*job, false);
    if (job->in_flight && running_) {
      job->ended = loop_.now();
      conclude(*job, CheckResult::inconclusive(report.what));
    }
  }
  for (auto& leaving : leaving_) {
    if (leaving.thread->id() == report.thread) leaving.ended = true;
  }
}

void Runner::join_ended() {
  std::erase_if(leaving_, [](const Leaving& leaving) {
    return leaving.ended && leaving.thread->join(Duration::zero());
  });
}

// Called twice: at the deadline, and if the thread does not answer in time.
void Runner::on_deadline(Job& job) {
  const auto number = job.attempt;
  take_reports();
  if (!job.in_flight || job.attempt != number || was_suspended()) return;
  job.ended = loop_.now();
  if (job.without_attempt) {
    auto result = *std::move(job.without_attempt);
    return conclude(job, std::move(result));
  }
  const Duration late = job.ended - (job.started + job.limit);
  if (!job.expiring) {
    if (late > kBeat) return repeat(job, late);  // the answer may have arrived meanwhile
    job.expiring = true;
    job.thread->expire(job.attempt);
    return job.deadline.start(kGrace);
  }
  if (late > kGrace + kBeat && late < 2 * (kGrace + kBeat))
    return job.deadline.start(kGrace);  // we were late
  give_up(job);
}

void Runner::give_up(Job& job) {
  job.ticket->give_up();
  const bool stuck = !job.ticket->reported();  // otherwise the report is already sent
  const bool left = stuck && lost_threads() < kMostLost;
  if (left) {
    leave(job, true);
  } else {
    job.busy = stuck;
  }
  const auto index = job.index;
  conclude(job,
           CheckResult::fail(FailKind::timeout, timeout_message(job.limit, "the check code did not return")));
  if (left) observer_.on_thread_lost(index);
}

void Runner::conclude(Job& job, CheckResult result, bool crashed) {
  const Duration latency = job.ended - job.started;
  cancel(job);
  if (result.error) {
    result.error->message = presentable(result.error->message, job.planned.plan.secrets);
  }
  const auto transitions = model_.record(job.index, result, latency, loop_.now(), loop_.wall_now());
  const Finished finished{job.started, job.ended, result, crashed, job.planned.logs_in};
  wait_until(job, job.schedule.next(finished, model_.states()[job.index], chance()));

  for (const auto& transition : transitions) observer_.on_transition(transition);
  observer_.on_result(job.index, result, latency);
  if (!running_) return;  // an observer called stop()
  for (const auto& transition : transitions) {
    if (transition.from == health::CheckStatus::waiting) begin_first(*jobs_[transition.check]);
  }
}

void Runner::wait_until(Job& job, TimePoint at) {
  job.next = at;
  job.due.start(at - loop_.now());
}

// True if this process was suspended during attempts: they are then inconclusive and repeated.
bool Runner::was_suspended() {
  const TimePoint now = loop_.now();
  if (!in_flight() || now - last_beat_ <= kSuspendThreshold) return false;
  const Duration gap = now - last_beat_;
  last_beat_ = now;
  observer_.on_frozen(gap);
  for (auto& job : jobs_) {
    if (!running_) break;
    if (job->in_flight) repeat(*job, gap);
  }
  return true;
}

void Runner::repeat(Job& job, Duration absent) {
  job.ended = loop_.now();
  if (job.thread) job.thread->cancel();
  conclude(job, CheckResult::inconclusive("the process was suspended for " + format_duration(absent)));
  begin(job);
}

void Runner::beat() {
  if (!in_flight()) return heartbeat_.stop();
  if (!was_suspended()) last_beat_ = loop_.now();
}

std::optional<TimePoint> Runner::next_run(std::size_t check) const {
  const Job& job = *jobs_[check];
  return job.due.active() ? std::optional(job.next) : std::nullopt;
}

std::size_t Runner::lost_threads() const {
  const TimePoint now = loop_.now();
  return static_cast<std::size_t>(
      std::count_if(leaving_.begin(), leaving_.end(), [&](const Leaving& leaving) {
        return !leaving.ended && (leaving.lost || now - leaving.since > kGrace);
      }));
}

std::uint64_t Runner::ignored_reports() const {
  return late_reports_ + reports_->ignored.load(std::memory_order_relaxed);
}

bool Runner::in_flight() const {
  return std::any_of(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->in_flight; });
}

Runner::Job* Runner::job_of(std::uint64_t thread) {
  const auto found = std::find_if(jobs_.begin(), jobs_.end(), [&](const auto& job) {
    return job->thread && job->thread->id() == thread;
  });
  return found == jobs_.end() ? nullptr : found->get();
}

bool all_passing(const health::HealthModel& model) {
  return std::all_of(model.states().begin(), model.states().end(),
                     [](const auto& state) { return state.passing(); });
}

bool all_judged(const health::HealthModel& model) {
  return std::none_of(model.states().begin(), model.states().end(),
                      [](const auto& state) { return state.status == health::CheckStatus::unknown; });
}

}  // namespace probegate::checks
