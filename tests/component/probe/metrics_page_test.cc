#include <cstdio>
#include <cstdlib>

#include "probe/health_metrics.h"
#include "probe_fixture.h"

namespace probegate::probe {
namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

double sample(const std::string& text, const std::string& series) {
  const auto at = ("\n" + text).find("\n" + series + " ");
  REQUIRE(at != std::string::npos);
  return std::stod(text.substr(at + series.size() + 1));
}

constexpr const char* kOpenMetrics = "Accept: application/openmetrics-text; version=1.0.0\r\n";

TEST_CASE("The metrics page shows gate and checks one-hot, in both formats") {
  ProbeFixture f;
  for (const char* accept : {"", kOpenMetrics}) {
    f.server.publish(f.snapshot(health::GateState::starting));
    const std::string before = f.get("/metrics", accept).body;
    CHECK(has_line(before, "probegate_gate_open 0"));
    CHECK(has_line(before, "probegate_gate_state{state=\"starting\"} 1"));
    CHECK(has_line(before, "probegate_gate_state{state=\"open\"} 0"));
    CHECK(has_line(before, "# TYPE probegate_startup_seconds gauge"));
    CHECK(before.find("\nprobegate_startup_seconds ") == std::string::npos);
    CHECK(has_line(before, "probegate_check_status{check=\"database\",status=\"fail\"} 1"));
    CHECK(has_line(before, "probegate_check_status{check=\"database\",status=\"pass\"} 0"));

    f.server.publish(f.snapshot(health::GateState::open));
    const std::string after = f.get("/metrics", accept).body;
    CHECK(has_line(after, "probegate_gate_open 1"));
    CHECK(has_line(after, "probegate_gate_state{state=\"starting\"} 0"));
    CHECK(has_line(after, "probegate_startup_seconds 1"));
    CHECK(has_line(after, "probegate_build_info{version=\"1.2.3\"} 1"));
  }
}

TEST_CASE("The process metrics are those of this process") {
  ProbeFixture f;
  const std::string text = f.get("/metrics").body;
  CHECK(sample(text, "process_cpu_seconds_total") > 0);
  CHECK(sample(text, "process_resident_memory_bytes") > 1e6);
  CHECK(sample(text, "process_virtual_memory_bytes") >= sample(text, "process_resident_memory_bytes"));
  CHECK(sample(text, "process_open_fds") > 3);
  CHECK(sample(text, "process_max_fds") >= sample(text, "process_open_fds"));
  const double now = to_seconds(f.loop->wall_now().time_since_epoch());
  CHECK(sample(text, "process_start_time_seconds") < now + 2);
  CHECK(sample(text, "process_start_time_seconds") > now - 3600);
}

TEST_CASE("A run is counted as the model judges it") {
  metrics::CheckMetrics check("database");
  health::CheckPolicy policy;
  policy.slow = 100ms;
  count_run(check, policy, health::CheckResult::pass(), 100ms);
  count_run(check, policy, health::CheckResult::pass(), 101ms);
  count_run(check, policy, health::CheckResult::warn(health::FailKind::tls, "ends soon"), 1ms);
  count_run(check, policy, health::CheckResult::inconclusive("frozen"), 99s);
  constexpr auto kFailKinds = metrics::label_count<health::FailKind>;
  for (std::size_t kind = 0; kind < kFailKinds; ++kind)
    count_run(check, policy, health::CheckResult::fail(static_cast<health::FailKind>(kind), ""), 1ms);
  CHECK(check.runs[metrics::RunResult::pass].value() == 1);
  CHECK(check.runs[metrics::RunResult::warn].value() == 2);
  CHECK(check.runs[metrics::RunResult::inconclusive].value() == 1);
  CHECK(check.runs[metrics::RunResult::fail].value() == kFailKinds);
  CHECK(check.duration.sum_seconds() == Approx(0.212));
  for (std::size_t kind = 0; kind < kFailKinds; ++kind)
    CHECK(check.failures[static_cast<health::FailKind>(kind)].value() == 1);
}

TEST_CASE("promtool finds nothing to complain about") {
  if (std::system("promtool --version >/dev/null 2>&1") != 0) {
    WARN("skipped: promtool is not installed (Debian package prometheus)");
    return;
  }
  ProbeFixture f;
  f.source.control.checks.emplace_back("database").duration.observe(2ms);
  f.source.control.loops.emplace_back("control").set_lag(1ms);
  f.source.data->requests.add(200);
  f.source.data->request_duration.observe(2ms);
  const std::string page = f.get("/metrics").body;
  std::FILE* promtool = ::popen("promtool check metrics >&2", "w");
  REQUIRE(promtool != nullptr);
  CHECK(std::fwrite(page.data(), 1, page.size(), promtool) == page.size());
  CHECK(::pclose(promtool) == 0);
}

}  // namespace
}  // namespace probegate::probe
