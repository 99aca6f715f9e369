// StartRecord: how often the process started and how it ended each time, as the text of the state file. Pure.
//
// The newest start has the end `running` while its process lives. A later start that finds it knows that the
// process was killed or crashed before it could write its end.
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

// The values of `end`.
namespace end_cause {
inline constexpr std::string_view kRunning = "running";
inline constexpr std::string_view kDraining = "draining";  // the drain has begun and has not ended
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
  std::vector<Start> recent;  // newest last
  bool unwritten = false;     // the file carries the mark of a process that could not write its record

  // True if the process of the start with this number, counted from 1, still runs.
  using Alive = std::function<bool(std::uint64_t number)>;

  // Adds a start. A start that is `running` or `draining` but not alive has ended uncleanly; returns true
  // if the newest earlier start did. If the record is marked as not written, the end of the previous
  // process is `unknown` instead.
  bool begin(WallTime now, const Alive& alive = {});
  // Adds a start that could not listen. Leaves the others unchanged, as one of them may hold the port.
  void begin_failed_start(WallTime now);
  // Sets the end of one start; does nothing if that start is no longer in `recent`.
  void set_end(std::uint64_t number, std::string_view cause, std::optional<WallTime> now);

  std::string last_end() const;  // how the start before the newest ended; empty if there was none
  std::vector<Start> within(Duration window, WallTime now) const;  // the starts of the last `window`

 private:
  void add(WallTime now, std::string_view end);
  std::uint64_t first_number() const { return starts + 1 - recent.size(); }  // of recent.front()

  bool before_is_unknown_ = false;
};

// The end as shown: "drained", or "unknown (the record could not be written)".
std::string end_text(std::string_view cause);

// Marks a record as not written, for a full disk: the bytes to write over the record's text, and at which
// offset. Empty if the text is not a record.
struct Mark {
  std::size_t at;
  std::string bytes;
};
std::optional<Mark> unwritten_mark(std::string_view text);

std::string to_json(const StartRecord& record);
// Fails if the text is not a record, or has a later version.
Result<StartRecord> parse_start_record(std::string_view text);

}  // namespace probegate::health
