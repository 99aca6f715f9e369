// DataPlane: the control loop's interface to all data loops. Publishes to them, receives their reports, and
// notices when one is blocked.
//
// Owns: the data loops, the auth worker and the listening sockets. Thread: built and used by the main thread,
// which runs the control loop; calls from the data loops are passed on through a Wakeup.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/inbox.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "config/config.h"
#include "loop/listen_socket.h"
#include "loop/timer.h"
#include "loop/wakeup.h"
#include "metrics/control_metrics.h"
#include "metrics/traffic.h"
#include "proxy/auth_worker.h"
#include "proxy/data_loop.h"
#include "proxy/shared_limits.h"
#include "sidecar/shutdown.h"

namespace probegate::sidecar {

class DataPlane final : private proxy::DataLoop::Events {
 public:
  class Observer {
   public:
    virtual void backend_refused(const std::string& why) = 0;
    virtual void backend_stopping(std::uint16_t close_code) = 0;
    virtual void auth_breaker_changed(bool open, const std::string& why) = 0;
    virtual void data_loops_stuck(std::string names) = 0;        // the list changed; empty: all respond
    virtual void backend_restarted(std::uint64_t restarts) = 0;  // the total since the start

   protected:
    ~Observer() = default;
  };

  DataPlane(loop::Loop& control, std::vector<loop::ListenSocket> sockets,
            std::shared_ptr<const config::Config> config, Log& log, Shutdown& shutdown);
  ~DataPlane();

  void start(Observer& observer);
  void publish(std::shared_ptr<const proxy::GateView> gate);
  void publish(const std::shared_ptr<const config::Config>& config);
  void stop_listening();  // the loops close their duplicates in phase `closing`
  void stop_auth();       // call when no data loop can use it any more
  void join();            // returns at once after Shutdown::loops_ended() and auth_ended()

  std::vector<Endpoint> endpoints() const;
  std::vector<const metrics::DataLoopMetrics*> metrics() const;
  metrics::ConnectionLimit connections() const;
  bool auth_breaker_open() { return auth_.breaker().open(); }
  metrics::BackendWatch& backend() { return limits_.backend(); }
  void write_lag(metrics::ControlMetrics& control) const;

 private:
  // Once a second, asks each loop for a sign of life. Counts its own beats instead of reading a clock: while
  // the whole process is suspended there are no beats, so no loop is blamed.
  void beat();
  void on_wakeup();
  void start_auth();

  void backend_refused(const std::string& why) override;
  void backend_stopping(std::uint16_t close_code) override;
  void auth_breaker_changed(bool open, const std::string& why) override;
  void data_loop_ended() override;

  loop::Loop& control_;
  Shutdown& shutdown_;
  Observer* observer_ = nullptr;  // set before any data loop runs
  std::vector<loop::ListenSocket> sockets_;
  proxy::SharedLimits limits_;
  proxy::AuthWorker auth_;  // outlives the data loops; its thread does not
  std::vector<std::unique_ptr<proxy::DataLoop>> loops_;
  std::uint64_t connections_configured_;  // proxy.limits.connections
  struct BreakerChange {
    bool open;
    std::string why;
  };
  Mailbox<std::string> refusal_;
  std::atomic<std::uint16_t> stopping_{0};  // the close code; 0 = nothing to tell
  Inbox<BreakerChange> breaker_changes_;    // few: each one follows a trial request
  std::atomic<std::size_t> loops_running_{0};
  std::atomic<bool> auth_running_{false};
  std::string stuck_;
  std::uint64_t beats_ = 0;
  std::uint64_t restarts_told_ = 0;
  loop::Wakeup mail_;
  loop::Timer beat_timer_;
};

}  // namespace probegate::sidecar
