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
constexpr Duration kStoodStill = 350ms;

std::string timeout_message(Duration timeout, const char* phase, const std::string& target) {
  std::string message = "no answer within " + format_duration(timeout);
  if (phase == nullptr) return message;
  message += std::string(" (while ") + phase;
  // Which name: the address is all that is known yet.
  if (std::string_view(phase).starts_with("resolving") && !target.empty()) message += " of " + target;
  return message + ")";
}

}  // namespace

// One check and its attempts. The sink of everything its code creates on the loop.
struct Runner::Job final : loop::ErrorSink {
  Job(Runner& r, std::size_t i, PlannedCheck p)
      : runner(r),
        index(i),
        planned(std::move(p)),
        schedule(planned.pace, r.model_.policies()[i].affects.traffic),
        due(r.context_.loop, [this] { runner.on_due(*this); }),
        deadline(r.context_.loop, [this] { runner.on_deadline(*this); }) {}

  ~Job() override { discard(*this); }

  void on_exception(const std::string& what) noexcept override {
    if (!runner.running_) return;
    ended = runner.context_.loop.now();
    if (!in_flight) {  // thrown between attempts: a result all the same
      in_flight = true;
      started = ended;
      ++attempt;
    }
    crashed = true;
    try {
      outcome = CheckResult::fail(FailKind::internal, "the check failed: " + what);
    } catch (...) {
      outcome = CheckResult::fail(FailKind::internal, "out of memory");  // short enough to need none
    }
    deadline.stop();
    runner.settle_.start(Duration::zero());
  }

  Runner& runner;
  std::size_t index;
  PlannedCheck planned;
  Schedule schedule;
  // Sole owner: us; an Attempt that outlives us finds it expired.
  const std::shared_ptr<Job*> anchor = std::make_shared<Job*>(this);
  loop::Timer due;
  loop::Timer deadline;
  std::unique_ptr<Check> check;
  std::uint64_t attempt = 0;  // the number of the latest; reports of others are late
  bool in_flight = false;
  bool crashed = false;
  int holds = 0;     // attempts in a row that held up the loop
  TimePoint born{};  // since when the runner has had it
  TimePoint next{};  // when `due` calls
  Duration limit{};  // of the latest attempt
  TimePoint started{};
  TimePoint ended{};
  std::optional<CheckResult> outcome;  // reported, not yet recorded
};

Runner::Runner(const CheckContext& context, health::HealthModel& model, std::vector<PlannedCheck> checks,
               RunnerObserver& observer, std::uint64_t seed, CoreWait core_wait)
    : context_(context),
      model_(model),
      observer_(observer),
      random_(seed),
      settle_(context.loop, [this] { settle(); }),
      heartbeat_(context.loop, [this] { beat(); }),
      core_wait_(std::move(core_wait)) {
  context.loop.measure_holds();
  for (std::size_t i = 0; i < checks.size(); ++i) {
    jobs_.push_back(std::make_unique<Job>(*this, i, std::move(checks[i])));
  }
}

Runner::~Runner() { stop(); }

void Runner::start() {
  running_ = true;
  for (auto& job : jobs_) {
    job->born = context_.loop.now();
    if (model_.runnable(job->index)) begin_first(*job);
  }
}

void Runner::stop() {
  running_ = false;
  settle_.stop();
  heartbeat_.stop();
  for (auto& job : jobs_) {
    job->due.stop();
    cancel(*job);
    discard(*job);
  }
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
  const auto transitions = model_.reload(std::move(policies), from, context_.loop.wall_now());
  for (std::size_t i = 0; i < checks.size(); ++i) {
    if (from[i].same_question) {
      jobs_.push_back(std::move(old[*from[i].before]));
      take_over(*jobs_.back(), i, std::move(checks[i]));
    } else {
      jobs_.push_back(std::make_unique<Job>(*this, i, std::move(checks[i])));
      jobs_.back()->born = context_.loop.now();
    }
  }
  old.clear();  // what is asked no more, with its connections; before the new ones make theirs
  if (!running_) return;
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    if (!from[i].same_question && model_.runnable(i)) begin_first(*jobs_[i]);
  }
  for (const auto& transition : transitions) begin_first(*jobs_[transition.check]);
  for (const auto& transition : transitions) observer_.on_transition(transition);
}

// An attempt under way ends as it began. The next one comes at the new pace, and sooner when that is sooner.
void Runner::take_over(Job& job, std::size_t index, PlannedCheck planned) {
  job.index = index;
  const bool same_pace = job.planned.pace == planned.pace;
  job.planned = std::move(planned);
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
    if (job->in_flight) {  // it may have begun before the backend broke, and would then reopen the gate
      cancel(*job);
      discard(*job);
    }
    const auto wall = context_.loop.wall_now();
    const auto text = presentable(message, job->planned.plan.secrets);
    for (const auto& transition : model_.record_refusal(job->index, text, wall)) {
      observer_.on_transition(transition);
    }
    if (!running_) return;  // an observer stopped us
    wait_until(*job, job->schedule.after_refusal(context_.loop.now()));
  }
}

void Runner::begin_first(Job& job) {
  const TimePoint at = job.schedule.first(job.born, chance());
  // A check that had to wait for others has been spread by them.
  const bool waited = !model_.policies()[job.index].needs.empty() && job.planned.pace.initial_delay <= 0ns;
  if (waited || at <= context_.loop.now()) return begin(job);
  wait_until(job, at);
}

void Runner::on_due(Job& job) {
  stood_still();  // or this attempt would be taken for one that was interrupted
  begin(job);
}

void Runner::begin(Job& job) {
  if (!running_ || job.in_flight) return;
  job.due.stop();
  job.started = context_.loop.now();
  if (!in_flight()) {
    start_watch(job.started);
    heartbeat_.start_repeating(kBeat);
  }
  job.in_flight = true;
  const auto number = ++job.attempt;
  job.limit = job.planned.timeout;
  job.deadline.start(job.limit);
  const Attempt attempt([number, anchor = std::weak_ptr<Job*>(job.anchor)](CheckResult result) {
    if (const auto to = anchor.lock()) (*to)->runner.on_report(**to, number, std::move(result));
  });
  context_.loop.enter(&job, [&] {
    if (!job.check) job.check = job.planned.plan.make(context_);
    job.check->start(attempt, job.started + job.limit);
  });
}

// Forgets the attempt under way; what it reports from now on is late. The check object is the caller's to
// end.
void Runner::cancel(Job& job) {
  job.in_flight = false;
  job.crashed = false;
  job.outcome.reset();
  job.deadline.stop();
}

// Destroys the check object; what its destructor threw, if it did.
std::string Runner::discard(Job& job) {
  Check* const check = job.check.release();
  try {
    delete check;
    return {};
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

void Runner::on_report(Job& job, std::uint64_t attempt, CheckResult result) {
  if (!job.in_flight || attempt != job.attempt || job.outcome) {
    ++ignored_reports_;
    return;
  }
  job.outcome = std::move(result);
  job.ended = context_.loop.now();
  job.deadline.stop();
  settle_.start(Duration::zero());
}

void Runner::on_deadline(Job& job) {
  if (!job.in_flight || job.outcome || stood_still()) return;
  job.ended = context_.loop.now();
  const Duration late = job.ended - (job.started + job.limit);
  if (late > kBeat) return repeat(job, late);  // a shorter absence, but one that hid the answer from us
  auto message =
      timeout_message(job.limit, job.check ? job.check->phase() : nullptr, job.planned.plan.target);
  if (const auto what = discard(job); !what.empty()) {
    job.crashed = true;
    message += "; then it could not be ended: " + what;
  }
  conclude(job, CheckResult::fail(FailKind::timeout, std::move(message)));
}

void Runner::settle() {
  if (stood_still()) return;
  for (auto& job : jobs_) {
    if (!job->outcome) continue;
    auto result = *std::exchange(job->outcome, std::nullopt);
    if (job->crashed) discard(*job);
    conclude(*job, std::move(result));
  }
}

void Runner::conclude(Job& job, CheckResult result) {
  const bool crashed = job.crashed;
  if (!crashed && result.verdict != health::Verdict::inconclusive) job.holds = 0;
  const Duration latency = job.ended - job.started;
  cancel(job);
  if (result.error) {
    result.error->message = presentable(result.error->message, job.planned.plan.secrets);
  }
  const auto transitions =
      model_.record(job.index, result, latency, context_.loop.now(), context_.loop.wall_now());
  const Finished finished{job.started, job.ended, result, crashed};
  wait_until(job, job.schedule.next(finished, model_.states()[job.index], chance()));

  for (const auto& transition : transitions) observer_.on_transition(transition);
  observer_.on_result(job.index, result, latency);
  if (!running_) return;  // an observer stopped us
  for (const auto& transition : transitions) {
    if (transition.from == health::CheckStatus::waiting) begin_first(*jobs_[transition.check]);
  }
}

void Runner::wait_until(Job& job, TimePoint at) {
  job.next = at;
  job.due.start(at - context_.loop.now());
}

void Runner::start_watch(TimePoint now) {
  last_beat_ = now;
  core_wait_before_ = core_wait_().value_or(Duration::zero());
  context_.loop.take_longest_hold();
}

// True when this process stood still while attempts were under way: they are then inconclusive, and repeated.
bool Runner::stood_still() {
  const TimePoint now = context_.loop.now();
  if (!in_flight() || now - last_beat_ <= kStoodStill) return false;
  const Duration gap = now - last_beat_;
  const auto hold = context_.loop.take_longest_hold();
  const Duration starved = core_wait_().value_or(Duration::zero()) - core_wait_before_;
  start_watch(now);
  observer_.on_frozen(gap);
  for (auto& job : jobs_) {
    if (!running_) break;
    if (!job->in_flight) continue;
    // A stop of the process that fell into a callback of this check looks the same once, and not twice in a
    // row.
    const bool to_blame = hold.sink == job.get() && hold.time - starved > gap / 2 && ++job->holds > 1;
    if (to_blame) {
      blame(*job, hold.time);
    } else {
      repeat(*job, gap);
    }
  }
  return true;
}

// Its code blocked, and with it everybody else's check and every probe. It cannot be interrupted; it can be
// told, and begun less and less often.
void Runner::blame(Job& job, Duration time) {
  job.ended = context_.loop.now();
  job.crashed = true;
  discard(job);
  conclude(job, CheckResult::fail(FailKind::internal, "the check held up all others for " +
                                                          format_duration(std::chrono::floor<Millis>(time))));
}

void Runner::repeat(Job& job, Duration absent) {
  job.ended = context_.loop.now();
  discard(job);  // the only way to cancel an attempt
  conclude(job, CheckResult::inconclusive("the process stood still for " + format_duration(absent)));
  begin(job);
}

void Runner::beat() {
  if (!in_flight()) return heartbeat_.stop();
  if (stood_still()) return;
  start_watch(context_.loop.now());
}

std::optional<TimePoint> Runner::next_run(std::size_t check) const {
  const Job& job = *jobs_[check];
  return job.due.active() ? std::optional(job.next) : std::nullopt;
}

bool Runner::in_flight() const {
  return std::any_of(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->in_flight; });
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
