// Recorder: looks at a running probegate become the rows of a report. Pure; time is passed in.
//
// Invariants: rows follow one another without a gap and end at whole minutes of the report's own time, at the
// look that comes then. No row is shorter than the pause between two looks, as its rates would say little:
// what is left at the end belongs to the row before it.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "client/report_text.h"

namespace probegate::client {

struct Look {
  Reading reading;
  std::string state;  // empty where /status did not answer
  // Between which moments the process began, as its uptime is that of a moment between question and answer.
  std::optional<TimePoint> started_after = {};
  std::optional<TimePoint> started_before = {};
};

struct Moment {
  TimePoint now{};
  WallTime wall{};
};

class Recorder {
 public:
  static constexpr Duration kRow = std::chrono::minutes(1);

  // `report` needs `planned` and `conditions`; `period` is the pause between two looks.
  Recorder(Report report, Duration period, Look first, Moment begin);

  bool over(TimePoint now) const { return now >= end_; }
  TimePoint next_look(TimePoint now) const;

  // The row that is full now, if one is.
  std::optional<Row> take(const Result<Look>& seen, Moment moment);
  // The last row, unless it went into the one before it.
  std::optional<Row> finish(bool interrupted);

  const Report& report() const { return report_; }

 private:
  void count(const Look& seen, Moment moment);
  void note(Moment moment, const std::string& text);
  void begin_row(Moment moment);
  TimePoint end_of_row(TimePoint now) const;

  Report report_;
  const Duration period_;
  const TimePoint begin_;
  const TimePoint end_;
  Row row_;
  TimePoint row_ends_{};
  TimePoint seen_;  // up to where the rows have counted
  Look last_;       // that somebody answered
  bool gone_ = false;
};

}  // namespace probegate::client
