// Control: the state of the control loop. Runs the checks, decides the gate, answers probes, and publishes
// the results.
//
// Owns: the health model, the gate, the check runner and the probe server. Publishes immutable snapshots (for
// probes) and gate views (for the data plane, which it observes). Every event passes through on_event(),
// which informs the log, the history and the observer. Called from: the control loop only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "checks/runner.h"
#include "checks/settings.h"
#include "health/clock_watch.h"
#include "health/gate.h"
#include "health/health_model.h"
#include "health/history.h"
#include "health/snapshot.h"
#include "health/waiting_reminder.h"
#include "loop/listen_socket.h"
#include "loop/timer.h"
#include "metrics/control_metrics.h"
#include "probe/probe_server.h"
#include "proxy/gate_view.h"
#include "sidecar/data_plane.h"
#include "sidecar/shutdown.h"

namespace probegate::sidecar {

class Control final : public DataPlane::Observer, private checks::RunnerObserver, private probe::Source {
 public:
  class Observer {
   public:
    virtual void startup_timed_out_for_exit() = 0;  // on_startup_timeout: exit
    // Called after the log and the history. The model may have changed since; rely on the event alone.
    virtual void on_event(const health::Event& event) = 0;

   protected:
    ~Observer() = default;
  };

  Control(loop::Loop& loop, const checks::Settings& settings, Log& log, DataPlane& data_plane,
          const Shutdown& shutdown, Observer& observer, TimePoint started);

  void set_actions(probe::Actions& actions) { probes_.set_actions(actions); }
  Result<void> listen(const loop::ListenSocket& socket) { return probes_.listen(socket); }
  void start();  // the checks
  void reload(const checks::Settings& settings);
  void stop();
  // After stop(): false if the code of a check has not returned; see Runner.
  [[nodiscard]] bool check_threads_ended() { return runner_.threads_ended(); }

  void phase_changed();  // of the drain or the shutdown
  // Keeps the gate shut for `time`; again: from now on for the new time. Not while it drains.
  void pause(std::string by, std::string message, Duration time);
  void resume();  // ends a pause
  std::shared_ptr<const health::Snapshot> snapshot() const;
  std::int64_t sessions_left() const;  // tunnels, requests in flight and held ones

  // Reports an event, from this or another part. Fills in its time.
  void on_event(health::Event event);
  void starts_known(const health::Starts& starts);

  metrics::ControlMetrics& metrics() { return metrics_; }
  const health::HealthModel& model() const { return model_; }
  bool ever_opened() const { return gate_.ever_opened(); }

 private:
  void backend_refused(const std::string& why) override;
  void backend_stopping(std::uint16_t close_code) override;
  void auth_breaker_changed(bool open, const std::string& why) override;
  void data_loops_stuck(std::string names) override;
  void backend_restarted(std::uint64_t restarts) override;

  void on_result(std::size_t check, const health::CheckResult& result, Duration latency) override;
  void on_transition(const health::Transition& transition) override;
  void on_frozen(Duration gap) override;
  void on_thread_lost(std::size_t check) override;

  void write_metrics(metrics::Exposition& out) const override;
  const health::History& history() const override { return history_; }
  probe::TrafficReport traffic() const override;
  const probe::About& about() const override { return about_; }
  std::optional<TimePoint> next_run(std::size_t check) const override { return runner_.next_run(check); }
  std::size_t lost_check_threads() const override { return runner_.lost_threads(); }

  void tell_backend_seen(std::size_t check, const health::CheckResult& result);
  void update_gate();
  void rename_metrics();
  void publish();
  std::optional<health::Drain> drain_state() const;
  proxy::GateView make_view() const;
  std::vector<std::string> waiting_names() const;
  void tell_gate();
  void tell_startup_timeout();
  void beat();
  void watch_connections();
  void watch_clock();

  loop::Loop& loop_;
  Log& log_;
  DataPlane& data_plane_;
  const Shutdown& shutdown_;
  Observer& observer_;
  const TimePoint started_;
  health::GatePolicy gate_policy_;
  health::HealthModel model_;
  health::Gate gate_;
  health::GateState told_gate_ = health::GateState::starting;
  std::optional<health::Pause> pause_;
  std::optional<std::int64_t> cut_;  // sessions that were left when the drain's time was over
  health::History history_;
  health::WaitingReminder waiting_reminder_;
  std::shared_ptr<const std::vector<health::CheckPolicy>> policies_;  // shared with every snapshot
  metrics::ControlMetrics metrics_;
  metrics::TrafficWindow traffic_window_;
  std::string stuck_loops_;
  Duration stop_time_;  // drain.timeout: alerts are held back for this time after a planned backend stop
  std::optional<TimePoint> stopping_until_;
  bool limit_reached_ = false;
  std::uint64_t limit_refusals_ = 0;   // as of the last beat
  std::uint64_t accept_failures_ = 0;  // likewise
  health::ClockWatch clock_watch_;
  probe::About about_;
  bool auth_;  // is configured
  std::optional<std::string> auth_precheck_;
  std::shared_ptr<const proxy::GateView> view_;  // shared with the data loops
  probe::ProbeServer probes_;
  checks::Runner runner_;
  loop::Timer gate_timer_;
  loop::Timer beat_timer_;
  TimePoint beat_due_{};
  TimePoint look_due_{};
};

}  // namespace probegate::sidecar
