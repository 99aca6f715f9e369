#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/probe_client.h"
#include "app/report_text.h"
#include "app/running_state.h"
#include "base/text.h"

namespace probegate::app {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTimeout = 2s;
constexpr Duration kRow = 1min;
constexpr Duration kSlowest = 5s;  // between two looks
constexpr Duration kFastest = 200ms;
constexpr Duration kTolerance = 50ms;  // of two clocks that both say how much time has passed

struct Look {
  Reading reading;
  std::string state;
  // Between which moments the process began, as its uptime is that of a moment between question and answer.
  std::optional<TimePoint> started_after;
  std::optional<TimePoint> started_before;
};

class Watch {
 public:
  Watch(const ReportOptions& options, ProbeAddress address, std::vector<FailCondition> conditions)
      : options_(options),
        client_(std::move(address)),
        paint_(Paint::for_descriptor(STDOUT_FILENO)),
        period_(std::clamp<Duration>(options.window / 4, kFastest, kSlowest)) {
    report_.url = client_.address().to_string();
    report_.planned = options.window;
    report_.conditions = std::move(conditions);
  }

  int run() {
    auto first = look();
    if (!first) {
      std::cerr << "probegate: the running probegate cannot be reached at " << first.error().message << "\n";
      return exit_code::kFailed;
    }
    last_ = std::move(*first);
    const TimePoint begin = client_.clock().now();
    seen_ = row_begin_ = begin;
    report_.from = client_.clock().wall_now();
    begin_row(last_->state);
    if (!options_.json) std::cout << report_head(report_) << std::flush;
    watch(begin + options_.window);
    end();
    return report_.failed() ? exit_code::kFailed : exit_code::kOk;
  }

 private:
  void watch(TimePoint end) {
    while (client_.clock().now() < end) {
      // A look costs time of its own; what counts is when a row is full.
      const TimePoint now = client_.clock().now();
      const TimePoint next = std::min({now + period_, end, row_begin_ + kRow});
      if (!client_.pause(std::max<Duration>(next - now, 0s))) break;
      auto now_seen = look();
      if (client_.interrupted()) break;
      take(std::move(now_seen));
      if (client_.clock().now() >= row_begin_ + kRow && client_.clock().now() < end) finish_row();
    }
    report_.interrupted = client_.interrupted();
    if (report_.interrupted) take(look());  // the last word
  }

  Result<Look> look() {
    auto metrics = client_.get("/metrics", kTimeout);
    if (!metrics) return failure(metrics.error().message);
    const MetricSamples samples(metrics->body);
    if (metrics->status != 200 || !samples.has("probegate_gate_open")) {
      return failure(client_.address().to_string() +
                     ": what answers there is not the probe port of probegate");
    }
    Look look{Reading::of(samples), "", std::nullopt, std::nullopt};
    const TimePoint asked = client_.clock().now();
    const auto answer = client_.get("/status", kTimeout);
    const auto state = answer ? read_running_state(*answer) : Result<RunningState>(failure(""));
    if (!state) return look;
    look.state = state->status;
    if (state->uptime_seconds) {
      const auto uptime =
          std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*state->uptime_seconds));
      look.started_after = asked - uptime;
      look.started_before = client_.clock().now() - uptime;
    }
    return look;
  }

  void take(Result<Look> now) {
    const TimePoint time = client_.clock().now();
    const Duration passed = time - std::exchange(seen_, time);
    row_.length += passed;
    if (!now) {
      row_.unreachable += passed;
      row_.state = "unreachable";
      if (!std::exchange(gone_, true)) note("not reachable: " + now.error().message);
      return;
    }
    if (std::exchange(gone_, false)) note("reachable again");
    const bool restarted = is_other_process(*now);
    if (restarted) note("restarted: another process answers, its counters began at zero");
    row_.add(last_->reading, now->reading, restarted);
    if (now->state != "ready" || row_.state.empty()) row_.state = now->state;
    last_ = std::move(*now);
  }

  bool is_other_process(const Look& now) const {
    const bool later = now.started_after && last_->started_before &&
                       *now.started_after > *last_->started_before + kTolerance;
    return later || now.reading.fell_below(last_->reading);
  }

  void note(const std::string& text) {
    report_.notes.push_back("minute " + std::to_string(row_.minute) + ", " +
                            iso8601(client_.clock().wall_now()) + ": " + text);
  }

  void begin_row(const std::string& state) {
    row_ = Row{};
    row_.minute = static_cast<int>(report_.rows.size()) + 1;
    row_.from = client_.clock().wall_now();
    row_.rss_bytes = gone_ ? std::nullopt : last_->reading.rss_bytes;
    row_.tunnels = gone_ ? 0 : last_->reading.tunnels;
    row_.state = gone_ ? "unreachable" : state;
  }

  void finish_row() {
    report_.rows.push_back(row_);
    if (!options_.json) std::cout << report_row(row_) << std::flush;
    row_begin_ = client_.clock().now();
    begin_row(last_->state);
  }

  // A remnant too short to be judged by its rates belongs to the minute before it.
  void end() {
    const bool remnant = row_.length < period_ && !report_.rows.empty();
    if (remnant) {
      report_.rows.back().merge(row_);
      report_.notes.push_back("minute " + std::to_string(report_.rows.back().minute) +
                              ": what came after it, for less than " + format_duration(period_) +
                              ", is judged with it");
    } else if (row_.length > Duration::zero()) {
      report_.rows.push_back(row_);
      if (!options_.json) std::cout << report_row(row_);
    }
    if (options_.json) {
      std::cout << report_json(report_).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    } else {
      std::cout << report_end(report_, paint_);
    }
  }

  const ReportOptions& options_;
  ProbeClient client_;
  const Paint paint_;
  const Duration period_;
  Report report_;
  Row row_;
  TimePoint row_begin_{};
  TimePoint seen_{};          // up to where the rows have counted
  std::optional<Look> last_;  // that somebody answered; set before the first row
  bool gone_ = false;
};

}  // namespace

int report(const ReportOptions& options) {
  auto conditions = parse_fail_conditions(options.fail_on);
  if (!conditions) {
    std::cerr << "probegate: --fail-on: " << conditions.error().message
              << "\nTry 'probegate report --help'.\n";
    return exit_code::kUsage;
  }
  auto address = find_probe_address(options.url, options.config);
  if (!address) {
    std::cerr << "probegate: " << address.error().message << "\n";
    return exit_code::kFailed;
  }
  return Watch(options, std::move(*address), std::move(*conditions)).run();
}

}  // namespace probegate::app
