// Shutdown: the phases in which the process drains and ends, and what happens in each of them.
//
//   running --signal, command--> lame_duck --time--> closing --time--> cutting --time--> given up
//    |  ^                            |                | |               |  ^ |
//    |  `-- resume, after a command -+----------------+-|---------------'  | |
//    |                                                  `-- loops ended ---|-+--> stopping_auth -->
//    flushing_alerts
//    `-- startup timeout --------------------------------------------------'        --> recording --> done
//
// A drain that a command began stays in `cutting` until it is resumed or a signal ends the process. Then the
// participants that it left out start, and the phases go on with the time that is left.
//
// Owns: the phase, the one deadline and the list of participants. Invariant: the phase changes along these
// edges only, and once the process ends, each phase from lame_duck to flushing_alerts has a deadline, so it
// ends even if one of its threads is blocked. Independent of threads and loops. Called from: the control
// loop.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "health/phase.h"
#include "health/start_record.h"

namespace probegate::sidecar {

using health::Phase;

struct Ending {
  int exit_code = 0;
  std::string_view cause = health::end_cause::kDrained;  // for the state file
};

class Shutdown {
 public:
  static constexpr Duration kLastAlerts = std::chrono::seconds(2);  // for pending ones; within the drain
  static constexpr Duration kCutGrace = std::chrono::seconds(1);    // for a thread to stop after its deadline

  class Host {
   public:
    virtual void wake_after(std::optional<Duration> time) = 0;  // for on_time(); empty: not at all
    virtual void give_up(const Ending& ending) = 0;             // ends the process without waiting

   protected:
    ~Host() = default;
  };

  enum class When { always, at_the_end };

  // An action for the beginning of a phase. The actions of one phase start in the order of the list. Those
  // that are due at the end are left out of a drain by a command.
  struct Participant {
    Phase phase;
    When when;
    std::function<void(Duration limit)> start;  // `limit`: the duration of the phase
  };

  struct Drain {
    std::string by;  // for people: who began it
    TimePoint since{};
    TimePoint closes_at{};  // drain.delay is over
    TimePoint deadline{};   // so is drain.timeout
  };

  Shutdown(const Clock& clock, Log& log, Host& host) : clock_(clock), log_(log), host_(host) {}
  void set_participants(std::vector<Participant> participants) { participants_ = std::move(participants); }

  static bool may_follow(Phase before, Phase next);  // the edges
  Phase phase() const { return phase_; }
  bool ending() const { return ending_begun_; }  // cannot be resumed
  bool by_command() const { return phase_ != Phase::running && !ending_begun_; }
  const std::optional<Drain>& drain() const { return drain_; }  // the one under way
  const Ending& ending_as() const { return ending_; }

  // The process stays. Only while it is running.
  void drain(std::string by, Duration delay, Duration timeout);
  void resume();  // only while by_command()
  // The process ends: after a drain, or after what is left of the one that a command began.
  void end(std::string by, Duration delay, Duration timeout);
  void startup_failed();  // and on_startup_timeout is `exit`
  void force();           // a second signal; does not return to a process

  // Reports of participants that have finished; may be repeated.
  void loops_ended();  // of all data loops
  void auth_ended();
  void alerts_flushed();
  void recorded();

  void on_time();

 private:
  void begin_drain(std::string by, Duration delay, Duration timeout);
  void catch_up();
  void to(Phase next);
  Duration begin_time(Phase before);
  void wake();
  void completed(Phase work, Phase next);

  const Clock& clock_;
  Log& log_;
  Host& host_;
  std::vector<Participant> participants_;
  Phase phase_ = Phase::running;
  bool ending_begun_ = false;
  Ending ending_;
  std::optional<Drain> drain_;
  TimePoint ends_at_{};           // of the drain, or of the last alerts after a failed startup
  std::optional<TimePoint> due_;  // on_time()
};

}  // namespace probegate::sidecar
