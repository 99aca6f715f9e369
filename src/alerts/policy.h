// Policy: decides which events cause an alert to one receiver, and when. Pure; time is passed in.
//
// Owns: the record of what this receiver was sent. Rules: a start is not an outage, so failing checks are
// reported only after the gate has been open; a lasting problem is reported once, then at every `reminder`; a
// flapping check is reported once as flapping, then not until it has been stable for kFlapWindow; frequent
// restarts of the backend are summed up. After a planned stop of the backend has begun, new alerts are held
// back for drain.timeout; problems that last longer are then sent with their original time. During our own
// drain Sidecar passes no events. Called from: the control loop only.
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
  event,     // a single event, without an end
  firing,    // a problem has begun
  reminder,  // the problem lasts
  resolved,
};
std::string_view to_string(Phase phase);

struct Message {
  Kind kind = Kind::ready;
  Phase phase = Phase::event;
  std::string subject;  // a check, "startup", "probegate", "backend", or a threshold
  std::string text;     // one sentence, without secrets
  WallTime at{};
  std::optional<WallTime> since = {};  // when the problem began
  std::string target = {};             // what the check connects to

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
  static constexpr std::size_t kFlaps = 4;  // failures within the window
  static constexpr Duration kRestartPause = std::chrono::minutes(5);
  // Delay for alerts about a backend that is gone: its stop may be planned, and our own SIGTERM or its last
  // Close may still be on the way.
  static constexpr Duration kBackendPause = std::chrono::seconds(2);

  explicit Policy(const PolicyOptions& options) : options_(options) {}

  void set_options(const PolicyOptions& options);  // forgets removed thresholds
  const PolicyOptions& options() const { return options_; }

  // For a receiver added by a reload: checks that fail now are not reported.
  void begin_late(bool opened, const std::vector<std::string>& failing, Moment moment);
  // Forgets all checks but these, which are those of a new configuration.
  void keep_checks(const std::vector<std::string>& names);

  std::vector<Message> on_event(const health::Event& event, TimePoint now);
  // Compares the counts of one window with the thresholds, if the gate had opened before the window began.
  std::vector<Message> on_window(const config::Span& span, Moment moment);
  std::vector<Message> on_time(Moment moment);
  std::optional<TimePoint> next_due() const;  // when on_time() must be called

 private:
  // A current problem, reported or held back.
  struct Trouble {
    Kind kind;
    std::string text;
    WallTime since;
    TimePoint began;  // the same moment on the monotonic clock
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
  std::map<std::string, Trouble, std::less<>> troubles_;  // by subject; at most one per check
  std::optional<TimePoint> quiet_until_;
  struct Held {
    Message message;
    TimePoint due;
  };
  std::map<std::string, Held, std::less<>> held_;  // by subject; problems that are not reported yet
  Restarts restarts_;
};

}  // namespace probegate::alerts
