// Reload: from SIGHUP, a request or a change of the file to a new configuration in force, or to a refusal in
// the log.
//
// Owns: what is in force, and the thread that reads the file: a file may lie on a slow disk or be a pipe, and
// the control loop waits for nothing. Invariant: one reading at a time; what asks meanwhile gets one more;
// a configuration is put into force whole or not at all. Thread: the control loop, but for the
// reading.
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

// What became of one reading. Names only: values may be secrets.
struct ReloadOutcome {
  enum class Kind {
    applied,
    refused,     // by `problems`
    impossible,  // nothing was read; `problems` says why
  };
  Kind kind = Kind::applied;
  std::string config;                 // the file
  std::vector<std::string> problems;  // lines, as `validate` prints them
  std::vector<std::string> changed;   // keys, but for those of checks that came or went
  std::vector<std::string> checks_added;
  std::vector<std::string> checks_removed;
  std::vector<std::string> checks_restarted;
};

class Reload {
 public:
  using Apply = std::function<void(const checks::Settings&)>;
  using Refused = std::function<void(std::string why)>;
  using Done = std::function<void(const ReloadOutcome&)>;

  // `apply` puts settings without problems into force; `refused` hears of those that never are.
  Reload(loop::Loop& loop, const checks::Settings& running, Log& log, metrics::ControlMetrics& metrics,
         const Shutdown& shutdown, Apply apply, Refused refused);
  ~Reload();
  Reload(const Reload&) = delete;
  Reload& operator=(const Reload&) = delete;

  void request();       // SIGHUP
  void ask(Done done);  // the same; `done` hears of a reading that began after this
  void end();           // the process is ending: nothing is put into force any more

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
  std::vector<Done> waiting_;   // for the reading under way
  std::vector<Done> for_next_;  // for the one after it
  FileWatch file_watch_;
  bool again_ = false;
};

std::string reload_outcome_json(const ReloadOutcome& outcome);

// What a running process cannot change, as lines of the form that `validate` prints; pure.
std::vector<std::string> needs_restart(const checks::Settings& running, const checks::Settings& next);

}  // namespace probegate::sidecar
