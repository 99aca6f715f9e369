// Recorder: turns periodic readings of a running probegate into the rows of a report. Pure; time is passed
// in.
//
// Invariants: rows follow one another without a gap and end at the first reading after each whole minute of
// the report. No row is shorter than the pause between two readings, as its rates would mean little: a
// shorter rest at the end is added to the row before it.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "client/report_text.h"

namespace probegate::client {

struct Look {
  Reading reading;
  std::string state;  // empty if /status did not answer
  // The process began between these two: its uptime was taken at some moment between request and answer.
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

  // `report` needs `planned` and `conditions`; `period` is the pause between two readings.
  Recorder(Report report, Duration period, Look first, Moment begin);

  bool over(TimePoint now) const { return now >= end_; }
  TimePoint next_look(TimePoint now) const;

  // Returns the row that this reading completes, if any.
  std::optional<Row> take(const Result<Look>& seen, Moment moment);
  // The last row, unless it was merged into the one before it.
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
  TimePoint seen_;  // of the latest reading
  Look last_;       // the latest that was answered
  bool gone_ = false;
};

}  // namespace probegate::client
