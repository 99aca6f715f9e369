#include "app/control.h"

#include <algorithm>
#include <random>

#include "app/event_log.h"
#include "app/version.h"
#include "base/text.h"
#include "checks/plan.h"
#include "metrics/families.h"
#include "probe/health_metrics.h"

namespace probegate::app {
namespace {

using namespace std::chrono_literals;
using health::GateState;

constexpr Duration kBeat = 1s;

health::GatePolicy make_gate_policy(const config::GateOptions& options) {
  using OnTimeout = config::GateOptions::OnTimeout;
  health::GatePolicy policy;
  policy.startup_timeout = options.startup_timeout;
  switch (options.on_startup_timeout) {
    case OnTimeout::fail: policy.on_startup_timeout = health::StartupTimeoutPolicy::fail; break;
    case OnTimeout::exit: policy.on_startup_timeout = health::StartupTimeoutPolicy::exit; break;
    case OnTimeout::wait: policy.on_startup_timeout = health::StartupTimeoutPolicy::wait; break;
  }
  return policy;
}

health::Details details_of(const config::Probes& probes) {
  return probes.summary ? health::Details::summary : health::Details::full;
}

}  // namespace

Control::Control(loop::Loop& loop, const Settings& settings, Log& log, Observer& observer, Traffic traffic,
                 TimePoint started)
    : loop_(loop),
      log_(log),
      observer_(observer),
      started_(started),
      resolver_(loop),
      http_(loop, resolver_),
      gate_policy_(make_gate_policy(settings.config.gate)),
      model_(checks::check_policies(settings.config), started, loop.wall_now()),
      gate_(gate_policy_, started),
      policies_(std::make_shared<const std::vector<health::CheckPolicy>>(model_.policies())),
      traffic_(std::move(traffic)),
      traffic_window_(started),
      auth_precheck_(settings.config.auth ? settings.config.auth->precheck : std::nullopt),
      view_(std::make_shared<const proxy::GateView>(make_view())),
      probes_(loop, {details_of(settings.config.probes), kVersion}, snapshot(), *this),
      runner_({loop, resolver_, http_}, model_, settings.planned, *this, std::random_device{}()),
      gate_timer_(loop, [this] { settle(); }),
      beat_timer_(loop, [this] { beat(); }) {
  rename_metrics();
  history_.set_checks(model_, Duration(0));
  metrics_.loops.emplace_back("control");
  for (int i = 0; i < settings.config.proxy.workers; ++i)
    metrics_.loops.emplace_back("data-" + std::to_string(i));
}

void Control::start() {
  beat_due_ = loop_.now() + kBeat;
  beat_timer_.start(kBeat);
  runner_.start();
  settle();
}

// Checks and policies are swapped whole; the startup latch and the drain are not the configuration's.
void Control::reload(const Settings& settings) {
  gate_policy_ = make_gate_policy(settings.config.gate);
  gate_.set_policy(gate_policy_);
  probes_.set_details(details_of(settings.config.probes));
  auth_precheck_ = settings.config.auth ? settings.config.auth->precheck : std::nullopt;
  runner_.reload(checks::check_policies(settings.config), settings.planned);
  policies_ = std::make_shared<const std::vector<health::CheckPolicy>>(model_.policies());
  rename_metrics();
  history_.set_checks(model_, loop_.now() - started_);
  on_event({.kind = health::EventKind::reload, .to = "applied"});
  settle();
}

// One entry per check, in the order of the configuration; a name that stays goes on counting.
void Control::rename_metrics() {
  auto old = std::exchange(metrics_.checks, {});
  for (const auto& policy : model_.policies()) {
    const auto known = std::find_if(old.begin(), old.end(), [&](const metrics::CheckMetrics& check) {
      return check.name == policy.name;
    });
    if (known == old.end()) {
      metrics_.checks.emplace_back(policy.name);
    } else {
      metrics_.checks.splice(metrics_.checks.end(), old, known);
    }
  }
}

void Control::stop() {
  runner_.stop();
  gate_timer_.stop();
  beat_timer_.stop();
}

void Control::on_result(std::size_t check, const health::CheckResult& result, Duration latency) {
  probe::count_run(*std::next(metrics_.checks.begin(), static_cast<std::ptrdiff_t>(check)),
                   model_.policies()[check], result, latency);
  if (result.verdict != health::Verdict::inconclusive) {
    history_.add_run(check, latency, result.verdict == health::Verdict::fail);
  }
  tell_backend_seen(check, result);
  settle();
}

void Control::tell_backend_seen(std::size_t check, const health::CheckResult& result) {
  const auto& policy = model_.policies()[check];
  if (!policy.affects.traffic || policy.type != "websocket") return;
  const bool reached = result.verdict == health::Verdict::pass || result.verdict == health::Verdict::warn;
  const bool refused = result.error && result.error->kind == health::FailKind::connect;
  if (reached || refused) observer_.backend_seen(reached);
}

void Control::on_transition(const health::Transition& transition) {
  const auto& state = model_.states()[transition.check];
  health::Event event;
  event.kind = health::EventKind::check;
  event.check = model_.policies()[transition.check].name;
  event.from = health::to_string(transition.from);
  event.to = health::to_string(transition.to);
  event.error = state.error;
  event.took = state.latency;
  event.failures = state.failures;
  on_event(std::move(event));
}

void Control::on_frozen(Duration gap) {
  on_event({.kind = health::EventKind::frozen, .took = gap});
  gate_.excuse(gap);
}

void Control::backend_refused(const std::string& why) {
  on_event({.kind = health::EventKind::backend_refused, .message = why});
  runner_.backend_refused(why);
  settle();
  observer_.gate_view_changed(view_);  // the loop that told us has closed its own view ahead of ours
}

void Control::data_loops_stuck(std::string names) {
  stuck_loops_ = std::move(names);
  on_event({.kind = health::EventKind::stuck, .message = stuck_loops_});
  publish();
}

void Control::set_drain(proxy::DrainPhase phase) {
  drain_ = phase;
  // A drain does not change what the backend can do: in its lame-duck phase an open door stays open.
  if (gate_.state() != GateState::draining) opened_before_drain_ = gate_.state() == GateState::open;
  gate_.drain();
  settle();
}

// After anything that may have moved the gate.
void Control::settle() {
  const GateState before = gate_.state();
  const bool timed_out_before = gate_.startup_timed_out();
  gate_.update(model_, loop_.now());
  if (gate_.state() != before) tell_gate(before);
  if (const auto deadline = gate_.next_deadline()) {
    gate_timer_.start(std::max(*deadline - loop_.now(), Duration(1ms)));
  } else {
    gate_timer_.stop();
  }
  publish();
  const bool timed_out = gate_.startup_timed_out() && !timed_out_before;
  if (timed_out) tell_startup_timeout();
  if (timed_out && gate_policy_.on_startup_timeout == health::StartupTimeoutPolicy::exit) {
    observer_.startup_timed_out_for_exit();
  }
}

void Control::publish() {
  probes_.publish(snapshot());
  proxy::GateView view = make_view();
  if (view == *view_) return;
  view_ = std::make_shared<const proxy::GateView>(std::move(view));
  observer_.gate_view_changed(view_);
}

std::shared_ptr<const health::Snapshot> Control::snapshot() const {
  health::Snapshot snapshot;
  snapshot.policies = policies_;
  snapshot.checks = model_.states();
  snapshot.waiting_for = health::Gate::waiting_for(model_, gate_.ever_opened());
  snapshot.gate = gate_.state();
  snapshot.on_startup_timeout = gate_policy_.on_startup_timeout;
  snapshot.startup_timed_out = gate_.startup_timed_out();
  snapshot.ever_opened = gate_.ever_opened();
  snapshot.stuck_loops = stuck_loops_;
  snapshot.started = started_;
  snapshot.startup = gate_.opened_after();
  return std::make_shared<const health::Snapshot>(std::move(snapshot));
}

proxy::GateView Control::make_view() const {
  proxy::GateView view;
  view.state = gate_.state();
  view.drain = drain_;
  view.opened_before_drain = opened_before_drain_;
  if (view.state != GateState::open) view.waiting_for = waiting_names();
  for (const auto& policy : model_.policies()) {
    if (policy.affects.traffic && policy.type == "websocket") view.traffic_check = policy.name;
  }
  for (std::size_t i = 0; i < model_.policies().size(); ++i) {
    if (model_.policies()[i].name == auth_precheck_)
      view.auth_precheck_fails = model_.states()[i].status == health::CheckStatus::fail;
  }
  return view;
}

std::vector<std::string> Control::waiting_names() const {
  std::vector<std::string> names;
  for (const auto index : health::Gate::waiting_for(model_, gate_.ever_opened())) {
    names.push_back(model_.policies()[index].name);
  }
  return names;
}

void Control::tell_gate(GateState before) {
  health::Event event;
  event.kind = health::EventKind::gate;
  event.from = health::to_string(before);
  event.to = health::to_string(gate_.state());
  if (gate_.state() == GateState::open) {
    event.took = gate_.opened_after();
  } else {
    event.waiting_for = waiting_names();
  }
  on_event(std::move(event));
}

void Control::tell_startup_timeout() {
  health::Event event;
  event.kind = health::EventKind::startup_timeout;
  event.waiting_for = waiting_names();
  on_event(std::move(event));
}

void Control::on_event(health::Event event) {
  event.wall = loop_.wall_now();
  event.since_start = loop_.now() - started_;
  log_event(log_, event);
  history_.add(event);
  observer_.on_event(event);
}

void Control::starts_known(const health::Starts& starts) {
  metrics_.starts = starts.total;
  metrics_.unclean_ends = starts.unclean_ends;
  history_.set_starts(starts);
}

void Control::write_metrics(metrics::Exposition& out) const {
  metrics::write_control(out, metrics_);
  traffic_.write(out);
}

probe::TrafficReport Control::traffic() const {
  const metrics::Traffic total = traffic_.sum_up();
  return {total, traffic_window_.last_minute(loop_.now(), total), traffic_window_.refusals()};
}

void Control::beat() {
  const TimePoint now = loop_.now();
  metrics_.loops.front().set_lag(std::max(now - beat_due_, Duration(0)));
  if (now >= look_due_) {
    traffic_window_.look(now, loop_.wall_now(), traffic_.sum_up());
    look_due_ = now + metrics::TrafficWindow::kStep;
  }
  const bool waiting = gate_.state() != GateState::open && gate_.state() != GateState::draining;
  if (const auto waited = waiting_reminder_.due(waiting, now)) log_waiting(log_, *snapshot(), *waited);
  beat_due_ = now + kBeat;
  beat_timer_.start(kBeat);
}

}  // namespace probegate::app
