// History: what happened lately, and how the start went. Pure data in bounded rings; time is passed in.
//
// Owns: the recent events, the start-up timeline and the recent latencies of every check. Invariant: none of
// them grows with uptime. The timeline is about the start: once the gate has opened no step is added and none
// goes, whatever a reload does. Called from: the control loop only.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "health/event.h"
#include "health/health_model.h"

namespace probegate::health {

// One check's part of the start; times count from the start of the process.
struct StartupStep {
  std::string check;
  std::optional<Duration> runnable = {};  // the checks it needs had passed
  std::optional<Duration> passed = {};    // judged passing for the first time
};

// One conclusive run.
struct Sample {
  Duration latency;
  bool failed;
};

// What a state file tells of this process and of those before it.
struct Starts {
  std::uint64_t total = 0;
  std::uint64_t unclean_ends = 0;
  std::string last_end;    // of the process before this one; empty when there was none
  std::size_t recent = 0;  // within the window
  Duration window{0};
  bool restart_loop = false;  // too many of them
};

class History {
 public:
  static constexpr std::size_t kEvents = 100;
  static constexpr std::size_t kSamples = 60;  // per check

  // The checks at the start, or of a new configuration; those whose names stay keep their past.
  void set_checks(const HealthModel& model, Duration since_start);

  // The newest event that it repeats is counted up instead of added again.
  void add(const Event& event);
  void add_run(std::size_t check, Duration latency, bool failed);
  void ran(std::size_t check, Duration since_start) {
    runs_[check].last_run = since_start;
  }  // however it ended

  void set_starts(const Starts& starts) { starts_ = starts; }

  const std::optional<Starts>& starts() const { return starts_; }
  const std::deque<Event>& events() const { return events_; }  // the oldest first
  const std::vector<StartupStep>& timeline() const { return timeline_; }
  std::optional<Duration> opened_after() const { return opened_after_; }
  const std::deque<Sample>& samples(std::size_t check) const { return runs_[check].samples; }
  // Since the start of the process, so that an age does not depend on the wall clock.
  Duration changed(std::size_t check) const { return runs_[check].changed; }  // the judged status
  std::optional<Duration> last_run(std::size_t check) const { return runs_[check].last_run; }

 private:
  struct Runs {
    std::string check;
    std::deque<Sample> samples = {};
    WallTime since = {};  // as the model has it, to notice a status that began anew
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
