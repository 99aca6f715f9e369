// Reload: from SIGHUP to a new configuration in force, or to a refusal in the log.
//
// Owns: what is in force, and the thread that reads the file: a file may lie on a slow disk or be a pipe, and
// the control loop waits for nothing. Invariant: one reading at a time; signals that come meanwhile become
// one more; a configuration is put into force whole or not at all. Thread: the control loop, but for the
// reading.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/load_config.h"
#include "base/log.h"
#include "loop/wakeup.h"
#include "metrics/control_metrics.h"

namespace probegate::app {

class Reload {
 public:
  using Apply = std::function<void(const Settings&)>;
  using Refused = std::function<void(std::string why)>;

  // `apply` puts settings without problems into force; `refused` hears of those that never are.
  Reload(loop::Loop& loop, const Settings& running, Log& log, metrics::ControlMetrics& metrics, Apply apply,
         Refused refused);
  ~Reload();
  Reload(const Reload&) = delete;
  Reload& operator=(const Reload&) = delete;

  void request();  // SIGHUP
  void end();      // a drain has begun: nothing is put into force any more

 private:
  struct Reading;

  void begin();
  void take();
  void finish(Settings next);
  void refuse(const Settings& next);
  void log_changes(const Settings& next) const;

  loop::Loop& loop_;
  Log& log_;
  metrics::ControlMetrics& metrics_;
  const Apply apply_;
  const Refused refused_;
  Settings running_;
  loop::Wakeup wakeup_;
  std::shared_ptr<Reading> reading_;  // shared with its thread, which outlives us when its file hangs
  bool again_ = false;
  bool ended_ = false;
};

// What a running process cannot change, as lines of the form that `validate` prints; pure.
std::vector<std::string> needs_restart(const Settings& running, const Settings& next);

}  // namespace probegate::app
