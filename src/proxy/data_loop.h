// DataLoop: one thread that carries traffic: accepts connections, serves sessions, and drains them.
//
// Owns: its loop, its listeners, every session, the idle backend connections. Reads the control loop's state
// only through immutable views that arrive in mailboxes, so there is no lock on the data path; reports to it
// through Events. Thread: built, started, joined and destroyed by the main thread; publish() and beat() are
// called by the control thread; everything else runs on its own thread.
#pragma once

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/mailbox.h"
#include "config/config.h"
#include "loop/deadline.h"
#include "loop/listen_socket.h"
#include "loop/listener.h"
#include "loop/loop.h"
#include "loop/wakeup.h"
#include "loop/worker.h"
#include "metrics/data_loop_metrics.h"
#include "proxy/access_log.h"
#include "proxy/auth_client.h"
#include "proxy/auth_worker.h"
#include "proxy/backend_pool.h"
#include "proxy/environment.h"
#include "proxy/gate_view.h"
#include "proxy/hold_queue.h"
#include "proxy/session.h"
#include "proxy/shared_limits.h"

namespace probegate::proxy {

class DataLoop final : private SessionHost {
 public:
  // Called on the data loop's thread.
  class Events {
   public:
    virtual void backend_refused(const std::string& why) = 0;
    virtual void backend_stopping(std::uint16_t close_code) = 0;  // at most once a second
    virtual void auth_breaker_changed(bool open, const std::string& why) = 0;
    virtual void data_loop_ended() = 0;  // drained or cut; its thread ends next

   protected:
    ~Events() = default;
  };

  // Listens on duplicates of `sockets`. `auth` must run before a configuration that needs it is published.
  DataLoop(const std::vector<loop::ListenSocket>& sockets, std::shared_ptr<const config::Config> config,
           std::shared_ptr<const GateView> gate, AuthWorker& auth, Log& log, Events& events, LoopLimits share,
           unsigned seed);
  ~DataLoop();  // after join()

  void start(std::string name = "data-0");  // the name shows in top -H and in metrics
  void join();
  bool ended() { return worker_.join(Duration::zero()); }  // the thread has ended or was never started

  void publish(std::shared_ptr<const GateView> gate);
  void publish(std::shared_ptr<const config::Config> config);

  // The control loop asks for a sign of life; answered() is the number of the last request that was seen.
  void beat(std::uint64_t number, TimePoint sent);
  std::uint64_t answered() const { return answered_.load(std::memory_order_acquire); }
  Duration lag() const { return Duration(lag_ns_.load(std::memory_order_relaxed)); }  // of that answer

  const metrics::DataLoopMetrics& metrics() const { return metrics_; }

 private:
  using Sessions = std::list<std::unique_ptr<Session>>;
  using Standing = Session::Standing;

  void accept(loop::Stream client);
  loop::Listener::Turn turn_to_accept();
  bool end_one(Standing standing);
  bool make_room();
  std::size_t sessions() const;
  Sessions& row(Standing standing) { return rows_[static_cast<std::size_t>(standing)]; }
  void on_wakeup();
  void act_on_gate();
  void take_config(std::shared_ptr<const config::Config> config);
  void close_sessions();
  void keep_tunnels();
  void stop_listening();
  void count_busy();
  void end_if_empty();
  void reap();

  void session_ended(Session& session) override;
  void session_moved(Session& session) override;
  void refresh_gate() override;
  bool backend_refused(const std::string& why) override;
  void backend_stopping(std::uint16_t close_code) override;
  void auth_breaker_changed(bool open, const std::string& why) override {
    events_.auth_breaker_changed(open, why);
  }

  Log& log_;
  Events& events_;
  metrics::DataLoopMetrics metrics_;
  loop::Worker worker_;
  loop::Loop& loop_;  // of the worker
  loop::DeadlineWheel wheel_;
  Environment environment_;
  BackendPool backends_;
  HoldQueue held_;
  AuthClient auth_client_;
  AccessLog access_;
  std::uint64_t stopping_told_ms_ = 0;
  std::array<Sessions, 5> rows_;   // by standing; the session that has had it longest comes first
  std::size_t most_sessions_ = 0;  // since memory was last returned to the system
  Sessions ended_;                 // destroyed after the turn, when no call of theirs is on the stack
  bool closing_ = false;           // the gate view's phase was `closing` or later when it was last acted on
  // Empty once the process ends.
  std::vector<std::unique_ptr<loop::Listener>> listeners_;

  Mailbox<std::shared_ptr<const GateView>> gate_mail_;
  Mailbox<std::shared_ptr<const config::Config>> config_mail_;
  std::atomic<std::uint64_t> beat_{0};
  std::atomic<std::int64_t> beat_sent_ns_{0};
  std::atomic<std::uint64_t> answered_{0};
  std::atomic<std::int64_t> lag_ns_{0};
  loop::Wakeup mail_;
};

}  // namespace probegate::proxy
