// Sidecar: the running process. Connects Control with the data plane, and is responsible for start, reload
// and shutdown; end_in_order() has the order of the shutdown.
//
// Owns: everything that runs. Invariant: it listens before anything slow begins; the probe port answers until
// the end; every step of the shutdown has a deadline, so the process ends even if a thread is blocked.
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
#include "loop/signal_mask.h"
#include "loop/signal_watch.h"
#include "loop/timer.h"
#include "probe/action.h"
#include "sidecar/control.h"
#include "sidecar/data_plane.h"
#include "sidecar/gate_actions.h"
#include "sidecar/listen_check.h"
#include "sidecar/reload.h"
#include "sidecar/shutdown.h"
#include "sidecar/state_file.h"

namespace probegate::sidecar {

class Sidecar final : private Control::Observer, private Shutdown::Host, private probe::Actions {
 public:
  Sidecar(loop::Loop& loop, const checks::Settings& settings, std::vector<loop::ListenSocket> proxy_sockets,
          std::vector<loop::ListenSocket> probe_sockets, Log& log, TimePoint started);

  int run();  // until drained or ended; the exit code

 private:
  void startup_timed_out_for_exit() override;
  void on_event(const health::Event& event) override;
  void wake_after(std::optional<Duration> time) override;
  [[noreturn]] void give_up(const Ending& ending) override;  // runs no destructors, which might wait
  void act(probe::Action action, const probe::ActionParameters& parameters,
           std::function<void(probe::ActionOutcome)> done) override;

  void watch_signals();
  void prove_listening();
  void on_signal(const char* name);
  void on_stray_signal(const loop::StraySignals::Stray& stray);
  std::vector<Shutdown::Participant> end_in_order();
  void flush_alerts(Duration limit);
  void starts_known(const StateFile::Opening& opening);
  void record_end(std::string_view cause, Duration limit);
  void record_not_written(const std::string& why);
  config::Span counted();  // totals since the start
  void log_settings(const checks::Settings& settings) const;
  void warn_of_unverified_tls() const;
  void apply(const checks::Settings& settings);

  loop::Loop& loop_;
  Log& log_;
  std::shared_ptr<const config::Config> config_;  // shared with the data loops
  std::vector<loop::ListenSocket> probe_sockets_;
  Shutdown shutdown_;
  loop::Timer end_timer_;
  DataPlane data_plane_;
  Control control_;
  alerts::Alerts alerts_;
  Reload reload_;
  GateActions gate_actions_;
  std::vector<std::unique_ptr<loop::SignalWatch>> signals_;
  std::optional<loop::StraySignals> stray_signals_;
  std::set<int> strays_;  // already logged
  std::unique_ptr<ListenCheck> listen_check_;
  std::optional<StateFile> state_file_;
};

}  // namespace probegate::sidecar
