// StartRecord: how often the process started and how it ended each time, as text that survives it. Pure.
//
// The newest start says `running` for as long as its process lives; whoever finds that word afterwards knows
// that the process was killed or crashed, as it had no time for another one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace probegate::health {

// What `end` of a start may say.
namespace end_cause {
inline constexpr std::string_view kRunning = "running";
inline constexpr std::string_view kDraining = "draining";  // told to end, and not there yet
inline constexpr std::string_view kDrained = "drained";
inline constexpr std::string_view kStartupTimeout = "startup_timeout";
inline constexpr std::string_view kSecondSignal = "second_signal";
inline constexpr std::string_view kStuckLoop = "stuck_loop";
inline constexpr std::string_view kCannotListen = "cannot_listen";
inline constexpr std::string_view kUnclean = "unclean";                // found `running`
inline constexpr std::string_view kKilledInDrain = "killed_in_drain";  // found `draining`
inline constexpr std::string_view kUnknown = "unknown";                // its record could not be written
}  // namespace end_cause

struct Start {
  WallTime started{};
  std::optional<WallTime> ended = {};  // unknown after an unclean end
  std::string end;
};

struct StartRecord {
  static constexpr std::size_t kMostRecent = 20;

  std::uint64_t starts = 0;
  std::uint64_t unclean_ends = 0;
  std::vector<Start> recent;  // the newest last
  bool unwritten = false;     // the file carries the mark of a process that could not write its record

  // Whether the process of the start with this number, counted from 1, still runs.
  using Alive = std::function<bool(std::uint64_t number)>;

  // One more start. What says `running` and is not alive is dead: true when the newest of those had no time
  // to say so. With the mark of a record that could not be written nothing is known of the one before, and
  // nobody accused.
  bool begin(WallTime now, const Alive& alive = {});
  // A start that never came to listen. Says nothing about others, one of which may hold the port.
  void begin_failed_start(WallTime now);
  // Of one start; does nothing where so many came after it that it is forgotten.
  void set_end(std::uint64_t number, std::string_view cause, std::optional<WallTime> now);

  std::string last_end() const;  // how the one before the newest ended; empty when there was none
  std::vector<Start> within(Duration window, WallTime now) const;  // started so recently

 private:
  void add(WallTime now, std::string_view end);
  std::uint64_t first_number() const { return starts + 1 - recent.size(); }  // of recent.front()

  bool before_is_unknown_ = false;
};

// As it is told: "drained", or "unknown (the record could not be written)".
std::string end_text(std::string_view cause);

// The mark of a record that could not be written, for a disk without space: the bytes to be written over
// those of a record's text, and where. Empty when that is no record's text.
struct Mark {
  std::size_t at;
  std::string bytes;
};
std::optional<Mark> unwritten_mark(std::string_view text);

std::string to_json(const StartRecord& record);
// Not a record, or that of a later version: an error that says so.
Result<StartRecord> parse_start_record(std::string_view text);

}  // namespace probegate::health
