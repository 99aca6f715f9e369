// Sidecar: the running process. Joins the control loop's mind with the data plane, and owns start, reload,
// drain and end.
//
// Owns: everything that runs. Invariant: it listens before anything slow begins; the probe port answers until
// the end; every step of the end has a deadline, so the process ends even when a thread of it is stuck.
// Thread: the main thread, which becomes the control loop.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "alerts/alerts.h"
#include "base/log.h"
#include "checks/settings.h"
#include "loop/listen_socket.h"
#include "loop/loop.h"
#include "loop/signal.h"
#include "loop/signal_mask.h"
#include "loop/timer.h"
#include "loop/wakeup.h"
#include "probe/action.h"
#include "sidecar/control.h"
#include "sidecar/data_plane.h"
#include "sidecar/listen_check.h"
#include "sidecar/reload.h"
#include "sidecar/state_file.h"

namespace probegate::sidecar {

class Sidecar final : private Control::Observer, private DataPlane::Observer, private probe::Actions {
 public:
  Sidecar(loop::Loop& loop, const checks::Settings& settings, std::vector<loop::ListenSocket> proxy_sockets,
          std::vector<loop::ListenSocket> probe_sockets, Log& log, TimePoint started);

  int run();  // until drained or ended; the exit code

 private:
  void gate_view_changed(std::shared_ptr<const proxy::GateView> view) override;
  void startup_timed_out_for_exit() override;
  void backend_seen(bool reached) override;
  void on_event(const health::Event& event) override { alerts_.on_event(event); }
  void backend_refused(const std::string& why) override;
  void backend_stopping(std::uint16_t close_code) override { control_.backend_stopping(close_code); }
  void auth_breaker_changed(bool open, const std::string& why) override {
    control_.auth_breaker_changed(open, why);
  }
  void data_loops_stuck(std::string names) override;
  void backend_restarted(std::uint64_t restarts) override;
  void data_loops_ended() override;
  void act(probe::Action action, std::function<void(probe::ActionOutcome)> done) override;

  void watch_signals();
  void prove_listening();
  void on_signal(const char* name);
  void on_stray_signal(const loop::StraySignals::Stray& stray);
  void begin_drain();
  void advance_drain();
  void starts_known(const StateFile::Opening& opening);
  void record_end(std::string_view cause, Duration limit);
  void record_not_written(const std::string& why);
  [[noreturn]] void end_now(int code, std::string_view cause);
  config::Span counted();  // since the start
  void log_settings(const checks::Settings& settings) const;
  void warn_of_unverified_tls() const;
  void apply(const checks::Settings& settings);

  loop::Loop& loop_;
  Log& log_;
  std::shared_ptr<const config::Config> config_;  // shared with the data loops
  std::vector<loop::ListenSocket> probe_sockets_;
  Control control_;
  DataPlane data_plane_;
  loop::Wakeup alerts_ended_;
  alerts::Alerts alerts_;
  Reload reload_;
  loop::Timer drain_timer_;
  proxy::DrainPhase drain_ = proxy::DrainPhase::none;
  TimePoint drain_ends_{};
  std::vector<std::unique_ptr<loop::Signal>> signals_;
  std::optional<loop::StraySignals> stray_signals_;
  std::set<int> strays_;  // told already
  std::unique_ptr<ListenCheck> listen_check_;
  std::optional<StateFile> state_file_;
  int exit_code_ = 0;
  std::string_view end_cause_ = health::end_cause::kDrained;
};

}  // namespace probegate::sidecar
