// Policy: what of all that happens is worth telling one receiver, and when. Pure; time is passed in.
//
// Owns: what this receiver has been told. Rules: a start is not an outage, so failing checks are told only
// once the gate has been open; what stays wrong is told once, then at every `reminder`; what flaps is told as
// that, and then not at all until it has been steady for a while; restarts of the backend that come fast are
// summed up; once a drain has begun nothing is told. A backend that says it is ending has been told to end:
// for drain.timeout after that nothing new is told, and then only what is still wrong, with its true time.
// Called from: the control loop only.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/conditions.h"
#include "health/event.h"

namespace probegate::alerts {

enum class Kind { ready, startup_timeout, check_down, check_up, restart, flapping, threshold };
inline constexpr std::size_t kKinds = 7;
std::string_view to_string(Kind kind);

enum class Phase {
  event,     // it happened, and that is all
  firing,    // it is wrong from now on
  reminder,  // it is wrong still
  resolved,
};
std::string_view to_string(Phase phase);

struct Message {
  Kind kind = Kind::ready;
  Phase phase = Phase::event;
  std::string subject;  // a check, "startup", "probegate", "backend", or a threshold
  std::string text;     // one sentence, without secrets
  WallTime at{};
  std::optional<WallTime> since = {};  // of what is wrong, or was
  std::string target = {};             // what the check asks

  bool operator==(const Message&) const = default;
};

struct PolicyOptions {
  std::array<bool, kKinds> on{};
  Duration reminder{0};  // 0 = off
  std::vector<config::Condition> thresholds = {};

  bool wants(Kind kind) const { return on[static_cast<std::size_t>(kind)]; }
  bool has_thresholds() const { return !thresholds.empty() && wants(Kind::threshold); }
};

struct Moment {
  TimePoint now{};
  WallTime wall{};
};

class Policy {
 public:
  static constexpr Duration kFlapWindow = std::chrono::minutes(10);
  static constexpr std::size_t kFlaps = 4;  // falls within the window
  static constexpr Duration kRestartPause = std::chrono::minutes(5);
  // A backend that is gone may have been told to end, and we are told next, or its last Close is on its way.
  static constexpr Duration kBackendPause = std::chrono::seconds(2);

  explicit Policy(const PolicyOptions& options) : options_(options) {}

  void set_options(const PolicyOptions& options);  // a threshold that is gone is forgotten
  const PolicyOptions& options() const { return options_; }

  // A receiver that is new at a reload: what fails now is known to whoever wrote the configuration.
  void begin_late(bool opened, const std::vector<std::string>& failing, Moment moment);
  // The checks of a new configuration; what is not among them is forgotten.
  void keep_checks(const std::vector<std::string>& names);

  std::vector<Message> on_event(const health::Event& event, TimePoint now);
  // What has been counted since the last time: judged where all of it came after the gate had opened.
  std::vector<Message> on_window(const config::Span& span, Moment moment);
  std::vector<Message> on_time(Moment moment);
  std::optional<TimePoint> next_due() const;  // when on_time() has something to say

 private:
  // Something wrong that has been told, or could not be.
  struct Trouble {
    Kind kind;
    std::string text;
    WallTime since;
    TimePoint began;  // the same moment, of the clock that durations are computed from
    TimePoint told;
  };
  struct Watch {  // of a check
    bool down = false;
    WallTime since{};
    TimePoint fell{};
    std::string why = {};
    std::string target = {};
    bool of_backend = false;
    std::deque<TimePoint> falls = {};  // within the window
    TimePoint changed{};
    bool flapping = false;
  };
  struct Restarts {
    std::optional<TimePoint> told;
    std::uint64_t untold = 0;
  };

  void on_check(const health::Event& event, TimePoint now, std::vector<Message>& out);
  void fell(const std::string& check, Watch& watch, Moment moment, std::vector<Message>& out);
  void rose(const std::string& check, Watch& watch, Moment moment, std::vector<Message>& out);
  void on_opened(const health::Event& event, TimePoint now, std::vector<Message>& out);
  void on_backend_restart(Moment moment, std::vector<Message>& out);
  void judge(const config::Condition& condition, const config::Span& span, Moment moment,
             std::vector<Message>& out);
  struct Began {
    WallTime wall;
    TimePoint at;
  };
  void fire(Kind kind, const std::string& subject, std::string text, Began began, Moment moment,
            std::vector<Message>& out, Duration pause = Duration(0));
  void resolve(Kind kind, const std::string& subject, std::string text, Moment moment,
               std::vector<Message>& out);
  void hold_for(Duration time, TimePoint now);
  void tell_held(TimePoint now, std::vector<Message>& out);
  bool quiet(TimePoint now) const { return quiet_until_ && now < *quiet_until_; }
  void tell(Message message, std::vector<Message>& out) const;

  PolicyOptions options_;
  bool opened_ = false;
  bool window_began_open_ = false;
  std::map<std::string, Watch, std::less<>> checks_;
  std::map<std::string, Trouble, std::less<>> troubles_;  // by subject; a check has one at a time
  std::optional<TimePoint> quiet_until_;
  struct Held {
    Message message;
    TimePoint due;
  };
  std::map<std::string, Held, std::less<>> held_;  // by subject; of troubles that are not told yet
  Restarts restarts_;
};

}  // namespace probegate::alerts
