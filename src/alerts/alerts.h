// Alerts: sends the alerts that the configuration's `alerts` asks for. One Policy per receiver decides what
// to send, one Delivery for all sends it.
//
// Called from: the control loop only, where each call only decides and composes texts. The delivery thread
// exists only if there are receivers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "alerts/delivery.h"
#include "alerts/message.h"
#include "alerts/policy.h"
#include "config/config.h"
#include "loop/timer.h"
#include "loop/wakeup.h"

namespace probegate::alerts {

class Alerts {
 public:
  // Returns the totals since the start; thresholds use differences. Called only if there are thresholds.
  using Totals = std::function<config::Span()>;

  Alerts(loop::Loop& loop, const std::vector<config::Alert>& receivers, Sender sender, Log& log,
         metrics::ControlMetrics& metrics, Totals totals, std::function<void()> finished);

  void on_event(const health::Event& event);

  // Applies a new configuration: receivers that stay keep their record of what was sent.
  struct Known {
    bool opened = false;
    std::vector<std::string> checks;
    std::vector<std::string> failing;
  };
  void reload(const std::vector<config::Alert>& receivers, const Known& known);

  void end();  // no event may follow, and no more reminders are sent; current deliveries continue
  // Calls `finished` in a later turn, once everything is delivered, at the latest after
  // `limit`. Requires running().
  void finish(Duration limit) { delivery_.finish(limit); }
  bool running() const { return delivery_.running(); }
  void join() { delivery_.join(); }

 private:
  struct Receiver {
    config::Alert alert;
    Policy policy;
    // The current window of its thresholds.
    TimePoint window_began{};
    config::Span began_with = {};
  };

  Moment moment() const { return {loop_.now(), loop_.wall_now()}; }
  void post(const Receiver& receiver, const std::vector<Message>& messages);
  void begin_window(Receiver& receiver) const;
  void end_window(Receiver& receiver);
  void on_timer();
  void schedule();

  loop::Loop& loop_;
  const Sender sender_;
  const Totals totals_;
  std::vector<Receiver> receivers_;
  std::uint64_t mails_ = 0;
  loop::Wakeup finished_;
  Delivery delivery_;
  loop::Timer timer_;
};

}  // namespace probegate::alerts
