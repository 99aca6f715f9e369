#include "sidecar/sidecar.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/exit_code.h"
#include "base/text.h"
#include "base/version.h"
#include "metrics/families.h"
#include "metrics/traffic.h"
#include "probe/process_metrics.h"
#include "sidecar/identity.h"

namespace probegate::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr Duration kFlushTimeout = 500ms;  // for log and state file after everything else has ended
constexpr Duration kLastRecord = 2s;       // at an immediate end; a busy disk may still write the old record
constexpr std::size_t kLoopStarts = 3;     // within kLoopWindow: a restart loop
constexpr Duration kLoopWindow = 10min;

alerts::Sender sender() {
  const Identity identity = this_instance();
  return {identity.service, identity.instance};
}

std::string join(const std::vector<Endpoint>& endpoints) {
  std::string text;
  for (const auto& endpoint : endpoints) text += (text.empty() ? "" : " ") + endpoint.to_string();
  return text;
}

}  // namespace

Sidecar::Sidecar(loop::Loop& loop, const checks::Settings& settings,
                 std::vector<loop::ListenSocket> proxy_sockets, std::vector<loop::ListenSocket> probe_sockets,
                 Log& log, TimePoint started)
    : loop_(loop),
      log_(log),
      config_(std::make_shared<const config::Config>(settings.config)),
      probe_sockets_(std::move(probe_sockets)),
      shutdown_(loop, log, *this),
      end_timer_(loop, [this] { shutdown_.on_time(); }),
      data_plane_(loop, std::move(proxy_sockets), config_, log, shutdown_),
      control_(loop, settings, log, data_plane_, shutdown_, *this, started),
      alerts_(
          loop, settings.config.alerts, sender(), log, control_.metrics(), [this] { return counted(); },
          [this] { shutdown_.alerts_flushed(); }),
      reload_(
          loop, settings, log, control_.metrics(), shutdown_,
          [this](const checks::Settings& next) { apply(next); },
          [this](std::string why) {
            control_.on_event(
                {.kind = health::EventKind::reload, .to = "refused", .message = std::move(why)});
          }),
      gate_actions_(control_, shutdown_, log) {
  log_settings(settings);
  shutdown_.set_participants(end_in_order());
  control_.set_actions(*this);
  if (const auto& path = settings.config.state_file) {
    state_file_.emplace(
        loop, *path, [this](const StateFile::Opening& opening) { starts_known(opening); },
        [this](const std::string& why) { record_not_written(why); });
  }
}

int Sidecar::run() {
  watch_signals();
  for (const auto& socket : probe_sockets_) {
    if (const auto listening = control_.listen(socket); !listening) {
      log_.error(listening.error().message);
      record_end(health::end_cause::kCannotListen, kLastRecord);
      return exit_code::kCannotListen;
    }
  }
  data_plane_.start(control_);
  prove_listening();
  control_.start();
  loop_.run();  // until the phase is `recording`
  control_.stop();
  data_plane_.join();
  alerts_.join();
  const bool all_ended = control_.check_threads_ended();
  const Ending& ending = shutdown_.ending_as();
  record_end(ending.cause, kFlushTimeout);
  shutdown_.recorded();
  log_.info("ended", {{"exit_code", ending.exit_code}});
  if (!all_ended) {  // that code may use what destructors and exit handlers of libraries destroy
    probe_sockets_.clear();
    log_.flush(kFlushTimeout);
    std::_Exit(ending.exit_code);
  }
  return ending.exit_code;
}

void Sidecar::watch_signals() {
  const auto watch = [this](int number, std::function<void()> act) {
    signals_.push_back(std::make_unique<loop::SignalWatch>(loop_, number, std::move(act)));
  };
  watch(SIGTERM, [this] { on_signal("SIGTERM"); });
  watch(SIGINT, [this] { on_signal("SIGINT"); });
  watch(SIGHUP, [this] { reload_.request(); });
  stray_signals_.emplace(loop_, [this](const loop::StraySignals::Stray& stray) { on_stray_signal(stray); });
  loop::release_watched_signals();
}

void Sidecar::log_settings(const checks::Settings& settings) const {
  const auto& config = settings.config;
  std::string names;
  for (const auto& check : config.checks) names += (names.empty() ? "" : " ") + check.name;
  log_.info("starting", {{"version", kVersion},
                         {"pid", ::getpid()},
                         {"config", settings.source},
                         {"backend", config.proxy.backend.endpoint.to_string()},
                         {"checks", names},
                         {"startup_timeout", format_duration(config.gate.startup_timeout)}});
  for (const auto& [check, variables] : settings.origins) {
    std::string from;
    for (const auto& variable : variables) from += (from.empty() ? "" : " ") + variable;
    log_.info("check " + check + " is configured by environment variables",
              {{"check", check}, {"variables", from}});
  }
  for (const auto& warning : settings.warnings) log_.warn(warning);
  warn_of_unverified_tls();
}

void Sidecar::warn_of_unverified_tls() const {
  constexpr const char* kWarning =
      "tls.verify is false: the certificate is not verified, so another server may answer";
  for (const auto& check : config_->checks) {
    if (!check.tls.verify) log_.warn(kWarning, {{"check", check.name}});
  }
  for (const auto& alert : config_->alerts) {
    if (!alert.tls.verify) log_.warn(kWarning, {{"alert", alert.shown}});
  }
}

// Applies a new configuration, on the control loop. Tunnels and the startup latch are not affected.
void Sidecar::apply(const checks::Settings& settings) {
  config_ = std::make_shared<const config::Config>(settings.config);
  log_.set(config_->log.level, checks::log_format(config_->log));
  warn_of_unverified_tls();
  data_plane_.publish(config_);
  control_.reload(settings);
  alerts::Alerts::Known known{.opened = control_.ever_opened(), .checks = {}, .failing = {}};
  const auto& model = control_.model();
  for (std::size_t i = 0; i < model.policies().size(); ++i) {
    known.checks.push_back(model.policies()[i].name);
    if (model.states()[i].status == health::CheckStatus::fail) known.failing.push_back(known.checks.back());
  }
  alerts_.reload(config_->alerts, known);
  for (const auto& warning : settings.warnings) log_.warn(warning);
}

void Sidecar::act(probe::Action action, const probe::ActionParameters& parameters,
                  std::function<void(probe::ActionOutcome)> done) {
  switch (action) {
    case probe::Action::reload:
      return reload_.ask([done = std::move(done)](const ReloadOutcome& outcome) {
        using Kind = ReloadOutcome::Kind;
        const int status = outcome.kind == Kind::applied ? 200 : outcome.kind == Kind::refused ? 422 : 409;
        done({status, reload_outcome_json(outcome)});
      });
    case probe::Action::drain: return done(gate_actions_.drain(parameters, config_->drain));
    case probe::Action::resume: return done(gate_actions_.resume(parameters));
    case probe::Action::pause: return done(gate_actions_.pause(parameters));
  }
}

config::Span Sidecar::counted() {
  const auto loops = data_plane_.metrics();
  const auto traffic = metrics::sum_up(loops);
  const auto upgrades = [&](metrics::UpgradeResult result) {
    return static_cast<double>(traffic.upgrades[result]);
  };
  config::Span span;
  span.messages = static_cast<double>(traffic.all_messages());
  span.requests = static_cast<double>(traffic.requests);
  span.refused = static_cast<double>(traffic.all_refused());
  span.upgrades_accepted = upgrades(metrics::UpgradeResult::accepted);
  span.upgrades_refused = upgrades(metrics::UpgradeResult::refused);
  span.upgrades_failed = upgrades(metrics::UpgradeResult::failed);
  span.tunnel_lost = static_cast<double>(traffic.tunnels_lost);
  span.check_failures = static_cast<double>(control_.metrics().check_failures());
  span.backend_restarts = static_cast<double>(data_plane_.backend().restarts());
  span.tunnels = static_cast<double>(traffic.tunnels);
  if (const auto resident = probe::resident_bytes()) span.rss_bytes = static_cast<double>(*resident);
  return span;
}

void Sidecar::record_end(std::string_view cause, Duration limit) {
  if (!state_file_) return;
  if (const auto why = state_file_->end(cause, limit); !why.empty()) record_not_written(why);
}

void Sidecar::record_not_written(const std::string& why) {
  log_.warn("state file: the record could not be written", {{"file", *config_->state_file}, {"why", why}});
}

// Reports what the state file says about the previous processes.
void Sidecar::starts_known(const StateFile::Opening& opening) {
  const auto& record = opening.record;
  if (!opening.problem.empty()) {
    log_.warn("state file", {{"file", *config_->state_file}, {"why", opening.problem}});
  }
  const std::string last_end = health::end_text(record.last_end());
  const char* const ended = record.last_end() == health::end_cause::kKilledInDrain
                                ? "the previous process was killed before its drain ended"
                                : "the previous process was killed, crashed or ran out of memory";
  const auto recent = record.within(kLoopWindow, loop_.wall_now());
  const bool restart_loop = recent.size() >= kLoopStarts;
  control_.starts_known({.total = record.starts,
                         .unclean_ends = record.unclean_ends,
                         .last_end = last_end,
                         .recent = recent.size(),
                         .window = kLoopWindow,
                         .restart_loop = restart_loop});
  health::Event event{.kind = health::EventKind::start, .from = last_end};
  if (opening.unclean) event.message = ended;
  if (restart_loop) {
    event.message = "restart loop: " + std::to_string(recent.size()) + " starts within " +
                    format_duration(kLoopWindow) + (event.message.empty() ? "" : "; " + event.message);
  }
  control_.on_event(std::move(event));
  if (opening.unclean) {
    log_.warn(ended, {{"end", last_end}, {"unclean_ends", record.unclean_ends}});
  }
  if (restart_loop) {
    std::string ends;
    for (std::size_t i = 0; i + 1 < recent.size(); ++i) ends += (i == 0 ? "" : " ") + recent[i].end;
    log_.warn("restart loop",
              {{"starts", recent.size()}, {"within", format_duration(kLoopWindow)}, {"ends", ends}});
  }
  log_.info("start counted", {{"starts", record.starts}, {"last_end", last_end}});
}

void Sidecar::prove_listening() {
  listen_check_ =
      std::make_unique<ListenCheck>(loop_, probe_sockets_.front().endpoint(), [this](std::string problem) {
        if (!problem.empty()) {
          log_.error("probe port does not answer; exiting", {{"why", problem}});
          give_up({exit_code::kCannotListen, health::end_cause::kCannotListen});
        }
        std::vector<Endpoint> probes;
        for (const auto& socket : probe_sockets_) probes.push_back(socket.endpoint());
        log_.info("listening", {{"proxy", join(data_plane_.endpoints())}, {"probes", join(probes)}});
      });
}

// No alerts during the shutdown.
void Sidecar::on_event(const health::Event& event) {
  if (!shutdown_.ending()) alerts_.on_event(event);
}

void Sidecar::startup_timed_out_for_exit() {
  log_.error("gate.startup_timeout has passed; exiting, as gate.on_startup_timeout is exit");
  shutdown_.startup_failed();
}

void Sidecar::on_stray_signal(const loop::StraySignals::Stray& stray) {
  if (!strays_.insert(stray.number).second) return;
  log_.warn("signal ignored", {{"signal", stray.name}, {"sender", stray.sender}});
}

void Sidecar::on_signal(const char* name) {
  if (shutdown_.ending()) {
    log_.warn("second signal; exiting at once", {{"signal", name}});
    return shutdown_.force();
  }
  log_.info("draining", {{"signal", name},
                         {"delay", format_duration(config_->drain.delay)},
                         {"timeout", format_duration(config_->drain.timeout)}});
  shutdown_.end(name, config_->drain.delay, config_->drain.timeout);
}

// The shutdown, from top to bottom; a drain by a command leaves out what is due at the end. A phase lasts
// until its time is over (lame_duck), until those it started have reported to `shutdown_` that they have
// ended, or until the process gives up.
std::vector<Shutdown::Participant> Sidecar::end_in_order() {
  const auto stop_alerts = [this](Duration) { alerts_.end(); };
  const auto stop_reload = [this](Duration) { reload_.end(); };
  const auto stop_listening = [this](Duration) { data_plane_.stop_listening(); };
  const auto tell = [this](Duration) { control_.phase_changed(); };  // the probes and the data loops
  constexpr auto kAlways = Shutdown::When::always;
  constexpr auto kAtTheEnd = Shutdown::When::at_the_end;
  return {
      {Phase::running, kAlways, tell},  // resumed

      {Phase::lame_duck, kAtTheEnd, stop_alerts},
      {Phase::lame_duck, kAtTheEnd, stop_reload},
      {Phase::lame_duck, kAtTheEnd,
       [this](Duration) {
         if (state_file_) state_file_->draining();
       }},
      {Phase::lame_duck, kAlways, tell},  // readiness fails in this very turn

      {Phase::closing, kAtTheEnd,
       stop_listening},  // first: the data loops close theirs once the accept queue is empty
      {Phase::closing, kAlways, tell},

      {Phase::cutting, kAtTheEnd, stop_alerts},  // the first phase if the startup has failed
      {Phase::cutting, kAtTheEnd, stop_reload},
      {Phase::cutting, kAtTheEnd, stop_listening},
      {Phase::cutting, kAlways, tell},

      {Phase::stopping_auth, kAtTheEnd, [this](Duration) { data_plane_.stop_auth(); }},
      {Phase::flushing_alerts, kAtTheEnd, [this](Duration limit) { flush_alerts(limit); }},
      {Phase::recording, kAtTheEnd, [this](Duration) { loop_.stop(); }},  // run() does the rest
  };
}

void Sidecar::flush_alerts(Duration limit) {
  log_.info("all sessions have ended");
  if (!alerts_.running()) return shutdown_.alerts_flushed();
  alerts_.finish(limit);
}

void Sidecar::wake_after(std::optional<Duration> time) {
  if (time) return end_timer_.start(*time);
  end_timer_.stop();
}

void Sidecar::give_up(const Ending& ending) {
  record_end(ending.cause, kLastRecord);
  log_.flush(kFlushTimeout);
  std::_Exit(ending.exit_code);
}

}  // namespace probegate::sidecar
