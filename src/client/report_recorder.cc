#include "client/report_recorder.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace probegate::client {
namespace {

constexpr Duration kTolerance = std::chrono::milliseconds(50);  // between the clocks of two processes
constexpr const char* kUnreachable = "unreachable";

bool is_other_process(const Look& before, const Look& now) {
  const bool later =
      now.started_after && before.started_before && *now.started_after > *before.started_before + kTolerance;
  return later || now.reading.fell_below(before.reading);
}

}  // namespace

Recorder::Recorder(Report report, Duration period, Look first, Moment begin)
    : report_(std::move(report)),
      period_(period),
      begin_(begin.now),
      end_(begin.now + report_.planned),
      seen_(begin.now),
      last_(std::move(first)) {
  report_.from = begin.wall;
  begin_row(begin);
}

TimePoint Recorder::next_look(TimePoint now) const { return std::min({now + period_, end_, row_ends_}); }

std::optional<Row> Recorder::take(const Result<Look>& seen, Moment moment) {
  const Duration passed = moment.now - std::exchange(seen_, moment.now);
  row_.length += passed;
  if (seen) {
    count(*seen, moment);
  } else {
    row_.unreachable += passed;
    row_.state = kUnreachable;
    if (!std::exchange(gone_, true)) note(moment, "not reachable: " + seen.error().message);
  }
  if (moment.now < row_ends_ || over(moment.now)) return std::nullopt;
  report_.rows.push_back(row_);
  begin_row(moment);
  return report_.rows.back();
}

void Recorder::count(const Look& seen, Moment moment) {
  const bool restarted = is_other_process(last_, seen);
  if (std::exchange(gone_, false)) {
    note(moment, std::string("reachable again") +
                     (restarted ? "" : "; events from the meantime are counted in this minute"));
  }
  if (restarted) note(moment, "restarted: a new process answers, its counters began at zero");
  row_.add(last_.reading, seen.reading, restarted);
  if (!seen.state.empty() && (seen.state != "ready" || row_.state.empty())) row_.state = seen.state;
  std::string state = seen.state;
  if (state.empty()) state = std::move(last_.state);
  last_ = seen;
  last_.state = std::move(state);
}

std::optional<Row> Recorder::finish(bool interrupted) {
  report_.interrupted = interrupted;
  if (row_.length < period_ && !report_.rows.empty()) {
    Row& before = report_.rows.back();
    before.merge(row_);
    report_.notes.push_back("minute " + std::to_string(before.minute) +
                            ": includes the rest of the report, which was shorter than " +
                            format_duration(period_));
    return std::nullopt;
  }
  if (row_.length == Duration::zero()) return std::nullopt;
  report_.rows.push_back(row_);
  return row_;
}

void Recorder::note(Moment moment, const std::string& text) {
  report_.notes.push_back("minute " + std::to_string(row_.minute) + ", " + iso8601(moment.wall) + ": " +
                          text);
}

void Recorder::begin_row(Moment moment) {
  row_ = Row{};
  row_.minute = static_cast<int>((moment.now - begin_) / kRow) + 1;
  row_.from = moment.wall;
  row_.rss_bytes = gone_ ? std::nullopt : last_.reading.rss_bytes;
  row_.tunnels = gone_ ? 0 : last_.reading.tunnels;
  row_.state = gone_ ? kUnreachable : last_.state;
  row_ends_ = end_of_row(moment.now);
}

// Readings may be late, very late after a suspension, so a row may begin anywhere in its minute.
TimePoint Recorder::end_of_row(TimePoint now) const {
  TimePoint end = begin_ + ((now - begin_) / kRow + 1) * kRow;
  if (end - now < period_) end += kRow;
  return end_ - end < period_ ? end_ : end;
}

}  // namespace probegate::client
