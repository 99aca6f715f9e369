#include "metrics/exposition.h"

#include <array>
#include <catch2/catch.hpp>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "metrics/families.h"

namespace probegate::metrics {
namespace {

using namespace std::chrono_literals;

std::string everything(Format format, bool with_samples) {
  const auto first = std::make_unique<DataLoopMetrics>();
  const auto second = std::make_unique<DataLoopMetrics>();
  ControlMetrics control;
  if (with_samples) {
    for (auto* loop : {first.get(), second.get()}) {
      loop->requests.add(200);
      loop->request_duration.observe(3ms);
      loop->tunnels.add(2);
      loop->refused[Reason::gate_closed].add(3);
      loop->tunnel_bytes[Direction::client_to_backend].add(1000);
      loop->auth_prevented_seconds.add(1500ms);
    }
    second->requests.add(999);
    control.checks.emplace_back("database").duration.observe(2ms);
    control.checks.back().runs[RunResult::pass].add(7);
    control.checks.back().failures[FailKind::missing_tables].add();
    control.loops.emplace_back("control").set_lag(2ms);
    control.starts = 4;
    control.reloads[ReloadResult::failure].add(2);
    control.configured = WallTime(std::chrono::seconds(1'795'780'800));
  }
  Exposition out(format);
  const std::array<const DataLoopMetrics*, 2> loops{first.get(), second.get()};
  write_traffic(out, loops, {with_samples, with_samples ? 3u : 0u});
  write_control(out, control, with_samples ? 2 : 0);
  return std::move(out).finish();
}

// What users are promised, without the families that come from a snapshot.
constexpr const char* kFamilies[] = {"check_duration_seconds",
                                     "check_runs_total",
                                     "check_failures_total",
                                     "requests_total",
                                     "request_duration_seconds",
                                     "refused_total",
                                     "upgrades_total",
                                     "upgrade_duration_seconds",
                                     "tunnels",
                                     "tunnel_messages_total",
                                     "tunnel_bytes_total",
                                     "tunnel_ends_total",
                                     "held",
                                     "hold_seconds",
                                     "auth_requests_total",
                                     "auth_duration_seconds",
                                     "auth_breaker_open",
                                     "auth_prevented_seconds_total",
                                     "backend_restarts_total",
                                     "backend_stopping",
                                     "alerts_total",
                                     "starts_total",
                                     "unclean_ends_total",
                                     "config_reloads_total",
                                     "config_last_reload_success_timestamp_seconds",
                                     "check_threads_lost",
                                     "loop_lag_seconds"};

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

// The families declared, with their types; fails on a sample outside its family or a series seen twice.
std::map<std::string, std::string> families(const std::string& text) {
  std::map<std::string, std::string> found;
  std::set<std::string> series;
  std::string help;
  std::string family;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    std::istringstream words(line);
    std::string hash, word, name, type;
    words >> hash >> word >> name >> type;
    if (word == "HELP") {
      help = name;
    } else if (word == "TYPE") {
      CHECK(name == help);
      CHECK(found.emplace(name, type).second);
      family = name;
    } else if (line != "# EOF") {
      CHECK(line.rfind(family, 0) == 0);
      CHECK(series.insert(line.substr(0, line.rfind(' '))).second);
    }
  }
  return found;
}

TEST_CASE("Every family has HELP and TYPE before its samples, once, with or without samples") {
  for (const Format format : {Format::prometheus_text, Format::openmetrics}) {
    const auto without = families(everything(format, false));
    CHECK(without == families(everything(format, true)));
    CHECK(without.size() == std::size(kFamilies));
    for (const std::string name : kFamilies) {
      const bool open_counter = format == Format::openmetrics && name.ends_with("_total");
      CHECK(without.count("probegate_" + (open_counter ? name.substr(0, name.size() - 6) : name)) == 1);
    }
  }
}

TEST_CASE("The older text names counters with _total in TYPE, OpenMetrics without, and the samples agree") {
  const auto text = everything(Format::prometheus_text, true);
  const auto open = everything(Format::openmetrics, true);
  CHECK(has_line(text, "# TYPE probegate_requests_total counter"));
  CHECK(has_line(open, "# TYPE probegate_requests counter"));
  for (const auto& out : {text, open}) {
    CHECK(has_line(out, "probegate_requests_total{code=\"200\"} 2"));
    CHECK(has_line(out, "probegate_requests_total{code=\"other\"} 1"));
    CHECK(has_line(out, "probegate_tunnels 4"));
    CHECK(has_line(out, "probegate_refused_total{reason=\"gate_closed\"} 6"));
    CHECK(has_line(out, "probegate_refused_total{reason=\"not_found\"} 0"));
    CHECK(has_line(out, "probegate_tunnel_bytes_total{direction=\"client_to_backend\"} 2000"));
    CHECK(has_line(out, "probegate_auth_prevented_seconds_total 3"));
    CHECK(has_line(out, "probegate_auth_breaker_open 1"));
    CHECK(has_line(out, "probegate_check_runs_total{check=\"database\",result=\"pass\"} 7"));
    CHECK(has_line(out, "probegate_check_failures_total{check=\"database\",kind=\"missing_tables\"} 1"));
    CHECK(has_line(out, "probegate_loop_lag_seconds{loop=\"control\"} 0.002"));
    CHECK(has_line(out, "probegate_check_threads_lost 2"));
    CHECK(has_line(out, "probegate_starts_total 4"));
    CHECK(has_line(out, "probegate_config_reloads_total{result=\"success\"} 0"));
    CHECK(has_line(out, "probegate_config_reloads_total{result=\"failure\"} 2"));
    CHECK(out.find("\nprobegate_config_last_reload_success_timestamp_seconds 17957808") != out.npos);
  }
}

TEST_CASE("Only OpenMetrics ends with EOF, and every line ends") {
  const auto open = everything(Format::openmetrics, true);
  const auto text = everything(Format::prometheus_text, true);
  CHECK(open.substr(open.size() - 7) == "\n# EOF\n");
  CHECK(text.find("# EOF") == std::string::npos);
  CHECK(text.back() == '\n');
  CHECK(text.find('\r') == std::string::npos);
}

TEST_CASE("A histogram is cumulative and its +Inf bucket is its count") {
  Histogram a;
  Histogram b;
  a.observe(2ms);
  a.observe(3s);
  b.observe(2ms);
  b.observe(90s);
  const Histogram* both[] = {&a, &b};
  Exposition out(Format::openmetrics);
  out.histogram("x_seconds", "Help.");
  out.sample({{"check", "db"}}, both, 2);
  const auto text = std::move(out).finish();
  CHECK(has_line(text, "x_seconds_bucket{check=\"db\",le=\"0.001\"} 0"));
  CHECK(has_line(text, "x_seconds_bucket{check=\"db\",le=\"0.0025\"} 2"));
  CHECK(has_line(text, "x_seconds_bucket{check=\"db\",le=\"1.0\"} 2"));
  CHECK(has_line(text, "x_seconds_bucket{check=\"db\",le=\"5.0\"} 3"));
  CHECK(has_line(text, "x_seconds_bucket{check=\"db\",le=\"+Inf\"} 4"));
  CHECK(has_line(text, "x_seconds_sum{check=\"db\"} 93.004"));
  CHECK(has_line(text, "x_seconds_count{check=\"db\"} 4"));
}

TEST_CASE("Label values and help texts are escaped") {
  Exposition text(Format::prometheus_text);
  text.gauge("x", "a \"b\" \\ c\nd");
  text.sample({{"l", "a \"b\" \\ c\nd"}}, 1);
  CHECK(std::move(text).finish() ==
        "# HELP x a \"b\" \\\\ c\\nd\n# TYPE x gauge\nx{l=\"a \\\"b\\\" \\\\ c\\nd\"} 1\n");
  Exposition open(Format::openmetrics);
  open.gauge("x", "a \"b\"");
  CHECK(std::move(open).finish() == "# HELP x a \\\"b\\\"\n# TYPE x gauge\n# EOF\n");
}

TEST_CASE("Numbers are written exactly, the special ones by their names") {
  Exposition out(Format::prometheus_text);
  out.gauge("x", "X.");
  out.sample({{"n", "max"}}, std::numeric_limits<std::uint64_t>::max());
  out.sample({{"n", "negative"}}, -3);
  out.sample({{"n", "fraction"}}, 0.1);
  out.sample({{"n", "inf"}}, std::numeric_limits<double>::infinity());
  out.sample({{"n", "-inf"}}, -std::numeric_limits<double>::infinity());
  out.sample({{"n", "nan"}}, std::numeric_limits<double>::quiet_NaN());
  const auto text = std::move(out).finish();
  CHECK(has_line(text, "x{n=\"max\"} 18446744073709551615"));
  CHECK(has_line(text, "x{n=\"negative\"} -3"));
  CHECK(has_line(text, "x{n=\"fraction\"} 0.1"));
  CHECK(has_line(text, "x{n=\"inf\"} +Inf"));
  CHECK(has_line(text, "x{n=\"-inf\"} -Inf"));
  CHECK(has_line(text, "x{n=\"nan\"} NaN"));
}

TEST_CASE(
    "Small and large numbers are plain decimals where these are short, and read back to the same number") {
  const auto written = [](double number) {
    Exposition out(Format::prometheus_text);
    out.gauge("x", "x");
    out.sample({}, number);
    const auto text = std::move(out).finish();
    const auto begin = text.rfind("x ") + 2;
    return text.substr(begin, text.size() - begin - 1);
  };
  CHECK(written(0.0001) == "0.0001");
  CHECK(written(0.000015) == "0.000015");
  CHECK(written(1e6) == "1000000");
  CHECK(written(1e15) == "1000000000000000");
  CHECK(written(-2.5e-7) == "-0.00000025");
  CHECK(written(0) == "0");
  for (const double number : {1e-30, 1e300, 1.0 / 3, 1'795'780'800.123, 5e-324}) {
    CHECK(std::strtod(written(number).c_str(), nullptr) == number);
  }
  Histogram histogram;
  Exposition out(Format::openmetrics);
  out.histogram("h", "h");
  out.sample({}, histogram);
  CHECK(std::move(out).finish().find("le=\"0.0001\"") != std::string::npos);
}

TEST_CASE("An info is a gauge named _info in the older text and an info in OpenMetrics") {
  for (const Format format : {Format::prometheus_text, Format::openmetrics}) {
    Exposition out(format);
    out.info("probegate_build", "B.");
    out.sample({{"version", "1"}}, 1);
    const auto text = std::move(out).finish();
    const bool open = format == Format::openmetrics;
    CHECK(has_line(text, open ? "# TYPE probegate_build info" : "# TYPE probegate_build_info gauge"));
    CHECK(has_line(text, "probegate_build_info{version=\"1\"} 1"));
  }
}

}  // namespace
}  // namespace probegate::metrics
