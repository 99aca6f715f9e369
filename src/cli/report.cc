#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/exit_code.h"
#include "cli/commands.h"
#include "client/probe_client.h"
#include "client/report_recorder.h"
#include "client/running_state.h"

namespace probegate::cli {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTimeout = 2s;
constexpr Duration kSlowest = 5s;  // between two readings
constexpr Duration kFastest = 200ms;

class Watch {
 public:
  Watch(const ReportOptions& options, client::ProbeAddress address)
      : options_(options),
        client_(std::move(address)),
        paint_(client::Paint::for_descriptor(STDOUT_FILENO)),
        period_(std::clamp<Duration>(options.window / 4, kFastest, kSlowest)) {}

  int run(std::vector<config::Condition> conditions) {
    auto first = look();
    if (!first) {
      std::cerr << "probegate: the running probegate cannot be reached at " << first.error().message << "\n";
      return exit_code::kFailed;
    }
    client::Report report;
    report.url = client_.address().to_string();
    report.planned = options_.window;
    report.asked = !conditions.empty();
    report.conditions = client::with_reachability(std::move(conditions));
    client::Recorder recorder(std::move(report), period_, std::move(*first), moment());
    if (!options_.json) std::cout << client::report_head(recorder.report()) << std::flush;
    watch(recorder);
    print(recorder.finish(client_.interrupted()));
    if (options_.json) {
      const auto json = client::report_json(recorder.report());
      std::cout << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    } else {
      std::cout << client::report_end(recorder.report(), paint_);
    }
    return recorder.report().failed() ? exit_code::kFailed : exit_code::kOk;
  }

 private:
  void watch(client::Recorder& recorder) {
    while (!recorder.over(client_.clock().now())) {
      const TimePoint now = client_.clock().now();
      const TimePoint next = recorder.next_look(now);
      if (!client_.pause(std::max<Duration>(next - now, 0s))) break;
      const auto seen = look();
      if (client_.interrupted()) break;
      print(recorder.take(seen, moment()));
    }
    if (client_.interrupted()) print(recorder.take(look(), moment()));  // completes the current row
  }

  client::Moment moment() const { return {client_.clock().now(), client_.clock().wall_now()}; }

  void print(const std::optional<client::Row>& row) const {
    if (row && !options_.json) std::cout << client::report_row(*row) << std::flush;
  }

  Result<client::Look> look() {
    auto metrics = client_.get("/metrics", kTimeout);
    if (!metrics) return failure(metrics.error().message);
    const client::MetricSamples samples(metrics->body);
    if (metrics->status != 200 || !samples.has("probegate_gate_open")) {
      return failure(client_.address().to_string() + ": this is not the probe port of probegate");
    }
    client::Look look{client::Reading::of(samples), ""};
    const TimePoint asked = client_.clock().now();
    const auto answer = client_.get("/status", kTimeout);
    const auto state =
        answer ? client::read_running_state(*answer) : Result<client::RunningState>(failure(""));
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

  const ReportOptions& options_;
  client::ProbeClient client_;
  const client::Paint paint_;
  const Duration period_;
};

}  // namespace

int report(const ReportOptions& options) {
  auto conditions = config::parse_conditions(options.fail_on, config::Observer::remote);
  if (!conditions) {
    std::cerr << "probegate: --fail-on: " << conditions.error().message
              << "\nTry 'probegate report --help'.\n";
    return exit_code::kUsage;
  }
  auto address = client::find_probe_address(options.url, options.config);
  if (!address) {
    std::cerr << "probegate: " << address.error().message << "\n";
    return exit_code::kUsage;
  }
  return Watch(options, std::move(*address)).run(std::move(*conditions));
}

}  // namespace probegate::cli
