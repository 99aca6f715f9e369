// Shutdown: the phases in which the process ends, and what happens in each of them.
//
//   running --signal--> lame_duck --time--> closing --time--> cutting --time--> given up
//    |   ^                  ^                  |                 ^  |
//    |   `-resume- paused --'                  `-- loops ended --+--+--> stopping_auth --> flushing_alerts
//    |   command --^     signal                                  |             --> recording --> done
//    `-- startup timeout ----------------------------------------'
//
// Owns: the phase, the one deadline and the list of participants. Invariant: the phase changes along these
// edges only, and from closing to flushing_alerts each phase has a deadline, so the process ends even if one
// of its threads is blocked. Independent of threads and loops. Called from: the control loop.
#pragma once

#include <functional>
#include <optional>
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

  // An action for the beginning of a phase. The actions of one phase start in the order of the list, and are
  // cancelled in reverse order if the phase returns to `running`.
  struct Participant {
    Phase phase;
    std::function<void(Duration limit)> start;  // `limit`: the duration of the phase
    std::function<void()> cancel = {};
  };

  Shutdown(const Clock& clock, Log& log, Host& host) : clock_(clock), log_(log), host_(host) {}
  void set_participants(std::vector<Participant> participants) { participants_ = std::move(participants); }

  static bool may_follow(Phase before, Phase next);  // the edges
  Phase phase() const { return phase_; }
  bool ending() const { return phase_ >= Phase::lame_duck; }  // cannot be resumed
  const Ending& ending_as() const { return ending_; }

  void drain(Duration delay, Duration timeout);  // a signal
  void startup_failed();                         // and on_startup_timeout is `exit`
  void force();                                  // a second signal; does not return to a process
  void pause();
  void resume();

  // Reports of participants that have finished; may be repeated.
  void loops_ended();  // of all data loops
  void auth_ended();
  void alerts_flushed();
  void recorded();

  void on_time();

 private:
  void to(Phase next);
  Duration begin_time(Phase before);
  void completed(Phase work, Phase next);

  const Clock& clock_;
  Log& log_;
  Host& host_;
  std::vector<Participant> participants_;
  Phase phase_ = Phase::running;
  Ending ending_;
  TimePoint closes_at_{};         // drain.delay is over
  TimePoint ends_at_{};           // so is drain.timeout
  std::optional<TimePoint> due_;  // on_time()
};

}  // namespace probegate::sidecar
