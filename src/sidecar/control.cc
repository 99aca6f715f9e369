#include "sidecar/control.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "base/text.h"
#include "base/version.h"
#include "checks/plan.h"
#include "loop/descriptors.h"
#include "loop/listener.h"
#include "metrics/families.h"
#include "metrics/traffic.h"
#include "probe/client_outcome.h"
#include "probe/health_metrics.h"
#include "sidecar/descriptor_plan.h"
#include "sidecar/event_log.h"
#include "sidecar/identity.h"

namespace probegate::sidecar {
namespace {

using namespace std::chrono_literals;
using health::GateState;

constexpr Duration kBeat = 1s;

health::GatePolicy make_gate_policy(const config::GateOptions& options) {
  return {options.startup_timeout, options.on_startup_timeout};
}

health::Details details_of(const config::Probes& probes) {
  return probes.summary ? health::Details::summary : health::Details::full;
}

probe::About about_of(const checks::Settings& settings) {
  const Identity identity = this_instance();
  return {.service = identity.service,
          .instance = identity.instance,
          .backend = settings.config.proxy.backend.endpoint.to_string(),
          .config = settings.source};
}

}  // namespace

Control::Control(loop::Loop& loop, const checks::Settings& settings, Log& log, DataPlane& data_plane,
                 const Shutdown& shutdown, Observer& observer, TimePoint started)
    : loop_(loop),
      log_(log),
      data_plane_(data_plane),
      shutdown_(shutdown),
      observer_(observer),
      started_(started),
      gate_policy_(make_gate_policy(settings.config.gate)),
      model_(checks::check_policies(settings.config, settings.planned), started, loop.wall_now()),
      gate_(gate_policy_, started),
      policies_(std::make_shared<const std::vector<health::CheckPolicy>>(model_.policies())),
      traffic_window_(started),
      stop_time_(settings.config.drain.timeout),
      about_(about_of(settings)),
      auth_(settings.config.auth.has_value()),
      auth_precheck_(settings.config.auth ? settings.config.auth->precheck : std::nullopt),
      view_(std::make_shared<const proxy::GateView>(make_view())),
      probes_(loop, {details_of(settings.config.probes), kVersion, settings.config.probes.hosts}, snapshot(),
              *this, probe_limits(settings.config, loop::descriptor_limit())),
      runner_(loop, model_, settings.planned, *this, std::random_device{}()),
      gate_timer_(loop, [this] { update_gate(); }),
      beat_timer_(loop, [this] { beat(); }) {
  rename_metrics();
  history_.set_checks(model_, Duration(0));
  metrics_.loops.emplace_back("control");
  for (int i = 0; i < settings.config.proxy.workers; ++i)
    metrics_.loops.emplace_back("data-" + std::to_string(i));
  data_plane_.publish(view_);
}

void Control::start() {
  watch_clock();  // from here on
  beat_due_ = loop_.now() + kBeat;
  beat_timer_.start(kBeat);
  runner_.start();
  update_gate();
}

// Replaces all checks and policies. The startup latch and the drain are kept, as no configuration sets them.
void Control::reload(const checks::Settings& settings) {
  gate_policy_ = make_gate_policy(settings.config.gate);
  stop_time_ = settings.config.drain.timeout;
  gate_.set_policy(gate_policy_);
  probes_.set_details(details_of(settings.config.probes));
  probes_.set_hosts(settings.config.probes.hosts);
  about_ = about_of(settings);
  auth_ = settings.config.auth.has_value();
  auth_precheck_ = settings.config.auth ? settings.config.auth->precheck : std::nullopt;
  runner_.reload(checks::check_policies(settings.config, settings.planned), settings.planned);
  policies_ = std::make_shared<const std::vector<health::CheckPolicy>>(model_.policies());
  rename_metrics();
  history_.set_checks(model_, loop_.now() - started_);
  on_event({.kind = health::EventKind::reload, .to = "applied"});
  update_gate();
}

// One entry per check, in the order of the configuration. A check that keeps its name keeps its counts.
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
  history_.ran(check, loop_.now() - started_);
  if (result.verdict != health::Verdict::inconclusive) {
    history_.add_run(check, latency, result.verdict == health::Verdict::fail);
  }
  tell_backend_seen(check, result);
  update_gate();
}

void Control::tell_backend_seen(std::size_t check, const health::CheckResult& result) {
  const auto& policy = model_.policies()[check];
  if (!policy.affects.traffic || policy.type != "websocket") return;
  const bool reached = result.verdict == health::Verdict::pass || result.verdict == health::Verdict::warn;
  const bool refused = result.error && result.error->kind == health::FailKind::connect;
  if (reached) data_plane_.backend().reached();
  if (refused) data_plane_.backend().refused();
}

void Control::on_transition(const health::Transition& transition) {
  const auto& state = model_.states()[transition.check];
  health::Event event;
  event.kind = health::EventKind::check;
  event.wall = state.since;
  event.check = model_.policies()[transition.check].name;
  const auto& policy = model_.policies()[transition.check];
  event.target = policy.target;
  event.of_backend = policy.affects.traffic && policy.type == "websocket";
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

void Control::on_thread_lost(std::size_t check) {
  log_.warn("a check did not return by its deadline; its thread is abandoned and replaced",
            {{"check", model_.policies()[check].name}, {"check_threads_lost", runner_.lost_threads()}});
}

void Control::backend_refused(const std::string& why) {
  on_event({.kind = health::EventKind::backend_refused, .message = why});
  runner_.backend_refused(why);
  update_gate();
  data_plane_.publish(view_);  // also if unchanged: the reporting loop has already closed its own view
}

// The first tunnel that it closes starts the time; a backend that is still down at its end is an outage.
void Control::backend_stopping(std::uint16_t close_code) {
  const TimePoint now = loop_.now();
  if (gate_.state() == GateState::draining || (stopping_until_ && now < *stopping_until_)) return;
  stopping_until_ = now + stop_time_;
  metrics_.backend_stopping.set(1);
  on_event({.kind = health::EventKind::backend_stopping,
            .message = "the backend closes its tunnels with " + std::to_string(close_code),
            .took = stop_time_});
}

void Control::auth_breaker_changed(bool open, const std::string& why) {
  on_event({.kind = health::EventKind::auth_breaker, .to = open ? "open" : "closed", .message = why});
}

void Control::data_loops_stuck(std::string names) {
  stuck_loops_ = std::move(names);
  on_event({.kind = health::EventKind::stuck, .message = stuck_loops_});
  publish();
}

void Control::backend_restarted(std::uint64_t restarts) {
  log_.warn("backend restarted", {{"backend_restarts", restarts}});
  const auto lost = metrics::sum_up(data_plane_.metrics()).tunnels_lost;
  on_event({.kind = health::EventKind::backend_restart,
            .message = std::to_string(restarts) + (restarts == 1 ? " restart" : " restarts") +
                       " since the start of probegate; " + std::to_string(lost) + " tunnels lost in all"});
}

void Control::phase_changed() {
  if (shutdown_.phase() == Phase::running) {
    cut_.reset();
    gate_.resume(loop_.now());
  } else {
    gate_.drain();
  }
  if (shutdown_.phase() == Phase::cutting && !cut_) cut_ = sessions_left();
  update_gate();
}

void Control::pause(std::string by, std::string message, Duration time) {
  const WallTime wall = loop_.wall_now();
  const WallTime since = pause_ ? pause_->since : wall;
  pause_ = health::Pause{std::move(by), std::move(message), since, wall + time};
  gate_.pause(loop_.now(), loop_.now() + time);
  update_gate();
}

void Control::resume() {
  gate_.resume(loop_.now());
  update_gate();
}

std::int64_t Control::sessions_left() const { return metrics::sum_up(data_plane_.metrics()).busy; }

// Call after every change that may affect the gate.
void Control::update_gate() {
  const bool timed_out_before = gate_.startup_timed_out();
  gate_.update(model_, loop_.now());
  if (!gate_.paused()) pause_.reset();
  if (gate_.state() != told_gate_) tell_gate();
  if (const auto deadline = gate_.next_deadline()) {
    gate_timer_.start(std::max(*deadline - loop_.now(), Duration(1ms)));
  } else {
    gate_timer_.stop();
  }
  publish();
  const bool timed_out = gate_.startup_timed_out() && !timed_out_before;
  if (timed_out) tell_startup_timeout();
  if (timed_out && gate_policy_.on_startup_timeout == StartupTimeoutPolicy::exit) {
    observer_.startup_timed_out_for_exit();
  }
}

void Control::publish() {
  probes_.publish(snapshot());
  proxy::GateView view = make_view();
  if (view == *view_) return;
  view_ = std::make_shared<const proxy::GateView>(std::move(view));
  data_plane_.publish(view_);
}

std::shared_ptr<const health::Snapshot> Control::snapshot() const {
  health::Snapshot snapshot;
  snapshot.policies = policies_;
  snapshot.checks = model_.states();
  snapshot.waiting_for = health::Gate::waiting_for(model_, gate_.ever_opened());
  snapshot.gate = gate_.state();
  snapshot.on_startup_timeout = gate_policy_.on_startup_timeout;
  snapshot.ever_opened = gate_.ever_opened();
  snapshot.stuck_loops = stuck_loops_;
  snapshot.started = started_;
  snapshot.startup = gate_.opened_after();
  snapshot.pause = pause_;
  snapshot.drain = drain_state();
  return std::make_shared<const health::Snapshot>(std::move(snapshot));
}

std::optional<health::Drain> Control::drain_state() const {
  const auto& drain = shutdown_.drain();
  if (!drain) return std::nullopt;
  const auto wall = [&](TimePoint when) { return loop_.wall_now() + (when - loop_.now()); };
  return health::Drain{.by = drain->by,
                       .since = wall(drain->since),
                       .deadline = wall(drain->deadline),
                       .serving = shutdown_.phase() == Phase::lame_duck && gate_.opened_before_drain(),
                       .cut = cut_};
}

proxy::GateView Control::make_view() const {
  proxy::GateView view;
  view.state = gate_.state();
  view.phase = shutdown_.phase();
  view.by_command = shutdown_.by_command();
  view.opened_before_drain = gate_.opened_before_drain();
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

void Control::tell_gate() {
  health::Event event;
  event.kind = health::EventKind::gate;
  event.from = health::to_string(std::exchange(told_gate_, gate_.state()));
  event.to = health::to_string(gate_.state());
  switch (gate_.state()) {
    case GateState::open: event.took = gate_.opened_after(); break;
    case GateState::paused:
      event.message = "by " + pause_->by + (pause_->message.empty() ? "" : ": " + pause_->message);
      event.took = pause_->until - loop_.wall_now();
      break;
    case GateState::draining:
      if (const auto& drain = shutdown_.drain()) {  // not after a failed startup
        event.message = "by " + drain->by;
        event.took = drain->deadline - loop_.now();
      }
      break;
    case GateState::starting:
    case GateState::closed:
    case GateState::failed: event.waiting_for = waiting_names(); break;
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
  if (event.wall == WallTime{}) event.wall = loop_.wall_now();
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
  metrics::write_control(out, metrics_, runner_.lost_threads());
  metrics::write_traffic(out, data_plane_.metrics(),
                         {data_plane_.auth_breaker_open(), data_plane_.backend().restarts()});
}

probe::TrafficReport Control::traffic() const {
  const metrics::Traffic total = metrics::sum_up(data_plane_.metrics());
  return {total, traffic_window_.last_minute(loop_.now(), total), traffic_window_.refusals(),
          data_plane_.connections(), auth_ ? std::optional(data_plane_.auth_breaker_open()) : std::nullopt};
}

// The limit is reached once connections are refused for it, and left once there is room and none is refused.
void Control::watch_connections() {
  const auto limit = data_plane_.connections();
  const auto refused = metrics::sum_up(data_plane_.metrics()).refused[metrics::Reason::connection_limit];
  const auto failures = loop::accept_failures();
  const bool failing = failures.count > std::exchange(accept_failures_, failures.count);
  const bool refusing = refused > std::exchange(limit_refusals_, refused) || failing;
  if (limit_reached_ ? refusing || limit.reached() : !refusing) return;
  limit_reached_ = refusing;
  on_event({.kind = health::EventKind::connection_limit,
            .to = refusing ? "reached" : "left",
            .message = (failing ? "connections cannot be accepted: " +
                                      std::string(std::strerror(failures.error)) + "; "
                                : "") +
                       probe::connections_text(limit)});
}

void Control::watch_clock() {
  const auto jump = clock_watch_.look(loop_.now(), loop_.wall_now());
  if (!jump) return;
  const bool ahead = *jump > Duration::zero();
  const auto size = std::chrono::round<std::chrono::seconds>(ahead ? *jump : -*jump);
  on_event({.kind = health::EventKind::clock,
            .message = "the wall clock jumped " + format_duration(size) + (ahead ? " ahead of" : " behind") +
                       " the monotonic clock",
            .took = *jump});
}

void Control::beat() {
  const TimePoint now = loop_.now();
  watch_clock();
  watch_connections();
  if (stopping_until_ && now >= *stopping_until_) {
    stopping_until_.reset();
    metrics_.backend_stopping.set(0);
  }
  metrics_.loops.front().set_lag(std::max(now - beat_due_, Duration(0)));
  data_plane_.write_lag(metrics_);
  if (now >= look_due_) {
    traffic_window_.look(now, loop_.wall_now(), metrics::sum_up(data_plane_.metrics()));
    look_due_ = now + metrics::TrafficWindow::kStep;
  }
  const bool meant = gate_.state() == GateState::paused || gate_.state() == GateState::draining;
  const bool waiting = gate_.state() != GateState::open && !meant;
  if (const auto waited = waiting_reminder_.due(waiting, now)) log_waiting(log_, *snapshot(), *waited);
  beat_due_ = now + kBeat;
  beat_timer_.start(kBeat);
}

}  // namespace probegate::sidecar
