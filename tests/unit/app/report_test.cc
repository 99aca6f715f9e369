#include <catch2/catch.hpp>

#include "app/fail_conditions.h"
#include "app/latencies.h"
#include "app/prometheus_text.h"
#include "app/report_row.h"
#include "app/terminal.h"

namespace probegate::app {
namespace {

using namespace std::chrono_literals;

constexpr const char* kMetrics = R"(# HELP probegate_refused Requests answered by probegate itself, by reason.
# TYPE probegate_refused counter
probegate_refused_total{reason="gate_closed"} 30
probegate_refused_total{reason="draining"} 0
probegate_requests_total{code="101"} 10
probegate_requests_total{code="503"} 30
probegate_tunnel_messages_total{direction="client_to_backend"} 100
probegate_tunnel_messages_total{direction="backend_to_client"} 50
probegate_tunnel_ends_total{cause="client_close"} 7
probegate_tunnel_ends_total{cause="client_lost"} 2
probegate_tunnel_ends_total{cause="backend_lost"} 1
probegate_upgrades_total{result="accepted"} 10
probegate_check_failures_total{check="redis",kind="connect"} 3
probegate_check_failures_total{check="redis",kind="timeout"} 1
probegate_tunnels 4
process_resident_memory_bytes 1.5e+07
)";

Row row_of(double messages, Duration length) {
  Row row;
  row.length = length;
  row.counts[kMessages] = messages;
  return row;
}

}  // namespace

TEST_CASE(
    "MetricSamples reads names, labels with escapes, and numbers, and leaves out what it does not "
    "understand") {
  const MetricSamples samples(
      "a{x=\"say \\\"hi\\\"\\\\\\n\",y=\"}\"} 2 1700000000\r\na 3\nbroken{x=\"\nnan NaN\n{x=\"1\"} 1\nword "
      "w\n");
  CHECK(samples.sum("a") == 5);
  CHECK(samples.sum("a", "x", "say \"hi\"\\\n") == 2);
  CHECK(samples.sum("a", "y", "}") == 2);
  CHECK_FALSE(samples.has("nan"));
  CHECK_FALSE(samples.has("broken"));
  CHECK_FALSE(samples.has("word"));
}

TEST_CASE("A reading adds up what a row counts") {
  const Reading reading = Reading::of(MetricSamples(kMetrics));
  Row row;
  row.length = 60s;
  row.add(Reading{}, reading, false);
  CHECK(row.messages_per_minute() == 150);
  CHECK(row.count(kTunnelLost) == 3);
  CHECK(row.refused_ratio() == 0.75);
  CHECK(row.failures_total() == 4);
  CHECK(row.rss_bytes == 1.5e7);
  CHECK(row.tunnels == 4);
}

TEST_CASE("A row counts the growth between two readings only") {
  const Reading reading = Reading::of(MetricSamples(kMetrics));
  Row row;
  row.add(reading, reading, false);
  CHECK(row.messages_per_minute() == 0);
  CHECK(row.refused_total() == 0);
  CHECK(row.failures_total() == 0);
}

TEST_CASE("After a restart all that the new process counted belongs to the row") {
  const Reading old = Reading::of(MetricSamples(kMetrics));
  const Reading fresh =
      Reading::of(MetricSamples("probegate_tunnel_messages_total{direction=\"client_to_backend\"} 5\n"));
  CHECK(fresh.fell_below(old));
  CHECK_FALSE(old.fell_below(fresh));
  Row row;
  row.length = 60s;
  row.add(old, fresh, true);
  CHECK(row.messages_per_minute() == 5);
  CHECK(row.restarts == 1);
}

TEST_CASE("A row that is not a minute scales its rate and not its counts") {
  CHECK(row_of(10, 3s).messages_per_minute() == Approx(200));
  CHECK(row_of(10, 120s).messages_per_minute() == Approx(5));
  CHECK(row_of(10, 3s).count(kMessages) == 10);
  CHECK(row_of(10, 0s).messages_per_minute() == 0);
}

TEST_CASE("Conditions compare every named quantity, with sizes for bytes") {
  Row row = row_of(500, 60s);
  row.rss_bytes = 101.0 * 1024 * 1024;
  const auto conditions = parse_fail_conditions(
      "rss_bytes>100MiB, messages_per_minute<1000,messages_per_minute<=499,check_failures>=0,restarts==1");
  REQUIRE(conditions);
  std::vector<bool> held;
  for (const auto& condition : *conditions) held.push_back(condition.holds(row));
  CHECK(held == std::vector<bool>{true, true, false, true, false});
}

TEST_CASE("A quantity that nobody could read holds nothing") {
  const auto conditions = parse_fail_conditions("rss_bytes<1");
  REQUIRE(conditions);
  CHECK_FALSE(conditions->front().holds(Row{}));
}

TEST_CASE("A wrong condition names what is allowed") {
  for (const char* text :
       {"memory>1", "rss_bytes", "rss_bytes>", "rss_bytes>much", "rss_bytes!=3", ",", "rss_bytes>1,,"}) {
    const auto conditions = parse_fail_conditions(text);
    INFO(text);
    REQUIRE_FALSE(conditions);
  }
  CHECK(parse_fail_conditions("memory>1").error().message.find("refused_ratio, check_failures") !=
        std::string::npos);
  CHECK(parse_fail_conditions("")->empty());
}

TEST_CASE("Latencies are numbers that were measured") {
  CHECK_FALSE(summarize({}));
  const auto one = summarize({3});
  CHECK((one->min == 3 && one->median == 3 && one->p95 == 3 && one->max == 3));
  std::vector<double> hundred;
  for (int i = 100; i >= 1; --i) hundred.push_back(i);
  const auto sum = summarize(hundred);
  CHECK((sum->min == 1 && sum->median == 50.5 && sum->p95 == 95 && sum->max == 100));
}

TEST_CASE("A table lines its columns up by characters and ends no line with a blank") {
  Table table;
  table.add({{"näme"}, {"N", Color::none, true}, {"WHY"}});
  table.add({{"a"}, {"100", Color::none, true}, {""}});
  CHECK(table.text(Paint(false)) == "näme    N  WHY\na     100\n");
}

TEST_CASE("Colours surround words, never padding, and only where they are on") {
  CHECK(Paint(true)(Color::good, "pass") == "\x1b[32mpass\x1b[0m");
  CHECK(Paint(false)(Color::good, "pass") == "pass");
}

}  // namespace probegate::app
