// Reload: reads the configuration again on SIGHUP, on request or when the file changes, and applies or
// refuses it.
//
// Owns: the running configuration, and the thread that reads the file, because the disk may be slow and the
// control loop must not wait. Invariant: one reading at a time; requests during it cause one more; a
// configuration is applied as a whole or not at all. Thread: the control loop; the file is read on the
// thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "checks/settings.h"
#include "loop/background_job.h"
#include "metrics/control_metrics.h"
#include "sidecar/file_watch.h"
#include "sidecar/shutdown.h"

namespace probegate::sidecar {

// The result of one reload. Has names only, because values may be secrets.
struct ReloadOutcome {
  enum class Kind {
    applied,
    refused,     // by `problems`
    impossible,  // nothing was read; `problems` says why
  };
  Kind kind = Kind::applied;
  std::string config;                 // the file
  std::vector<std::string> problems;  // lines, as `validate` prints them
  std::vector<std::string> changed;   // keys, without those of added and removed checks
  std::vector<std::string> checks_added;
  std::vector<std::string> checks_removed;
  std::vector<std::string> checks_restarted;
};

class Reload {
 public:
  using Apply = std::function<void(const checks::Settings&)>;
  using Refused = std::function<void(std::string why)>;
  using Done = std::function<void(const ReloadOutcome&)>;

  // Calls `apply` with settings that have no problems, and `refused` for the others.
  Reload(loop::Loop& loop, const checks::Settings& running, Log& log, metrics::ControlMetrics& metrics,
         const Shutdown& shutdown, Apply apply, Refused refused);
  ~Reload();
  Reload(const Reload&) = delete;
  Reload& operator=(const Reload&) = delete;

  void request();       // SIGHUP
  void ask(Done done);  // the same; `done` gets the result of a reading that began after this call
  void end();           // the process is ending: nothing is applied any more

 private:
  void begin();
  void read_again();
  void take(checks::Settings read);
  void watch(const std::vector<std::string>& more);
  std::vector<std::string> watched(const std::vector<std::string>& more) const;
  ReloadOutcome finish(checks::Settings next);
  ReloadOutcome refuse(const checks::Settings& next);
  ReloadOutcome changes(const checks::Settings& next) const;

  loop::Loop& loop_;
  Log& log_;
  metrics::ControlMetrics& metrics_;
  const Shutdown& shutdown_;
  const Apply apply_;
  const Refused refused_;
  checks::Settings running_;
  std::unique_ptr<loop::BackgroundJob<checks::Settings>> reading_;
  std::vector<Done> waiting_;   // for the current reading
  std::vector<Done> for_next_;  // for the next one
  FileWatch file_watch_;
  bool again_ = false;
};

std::string reload_outcome_json(const ReloadOutcome& outcome);

// Changes that need a restart, as lines in the format of `validate`. Pure.
std::vector<std::string> needs_restart(const checks::Settings& running, const checks::Settings& next);

}  // namespace probegate::sidecar
