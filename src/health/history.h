// History: recent events and the timeline of the startup. Pure, in bounded ring buffers; time is passed in.
//
// Owns: the recent events, the startup timeline and the recent latencies of every check. Invariant: none of
// them grows with uptime. Once the gate has opened, the timeline gets no more steps and loses none, even by a
// reload. Called from: the control loop only.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "health/event.h"
#include "health/health_model.h"

namespace probegate::health {

// One check in the startup timeline; times count from the start of the process.
struct StartupStep {
  std::string check;
  std::optional<Duration> runnable = {};  // when the checks it needs had passed
  std::optional<Duration> passed = {};    // when its status first became `pass`
};

// One conclusive run.
struct Sample {
  Duration latency;
  bool failed;
};

// What the state file says about this process and the previous ones.
struct Starts {
  std::uint64_t total = 0;
  std::uint64_t unclean_ends = 0;
  std::string last_end;    // of the previous process; empty if there was none
  std::size_t recent = 0;  // within the window
  Duration window{0};
  bool restart_loop = false;  // too many of them
};

class History {
 public:
  static constexpr std::size_t kEvents = 100;
  static constexpr std::size_t kSamples = 60;  // per check

  // Sets the checks, at the start or of a new configuration. Checks that keep their name keep their history.
  void set_checks(const HealthModel& model, Duration since_start);

  // If the event repeats the newest one, increases its count instead of adding it.
  void add(const Event& event);
  void add_run(std::size_t check, Duration latency, bool failed);
  // The check has run, with whatever result.
  void ran(std::size_t check, Duration since_start) { runs_[check].last_run = since_start; }

  void set_starts(const Starts& starts) { starts_ = starts; }

  const std::optional<Starts>& starts() const { return starts_; }
  const std::deque<Event>& events() const { return events_; }  // oldest first
  const std::vector<StartupStep>& timeline() const { return timeline_; }
  std::optional<Duration> opened_after() const { return opened_after_; }
  const std::deque<Sample>& samples(std::size_t check) const { return runs_[check].samples; }
  // Since the start of the process, so that an age does not depend on the wall clock.
  Duration changed(std::size_t check) const { return runs_[check].changed; }  // when its status changed
  std::optional<Duration> last_run(std::size_t check) const { return runs_[check].last_run; }

 private:
  struct Runs {
    std::string check;
    std::deque<Sample> samples = {};
    WallTime since = {};  // as in the model, to notice a changed status
    Duration changed{0};
    std::optional<Duration> last_run = {};
  };
  void note_step(const Event& event);

  std::deque<Event> events_;
  std::vector<StartupStep> timeline_;
  std::optional<Duration> opened_after_;
  std::optional<Starts> starts_;
  std::vector<Runs> runs_;  // in the order of the configuration
};

}  // namespace probegate::health
