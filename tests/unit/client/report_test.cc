#include <catch2/catch.hpp>

#include "client/latencies.h"
#include "client/prometheus_text.h"
#include "client/report_row.h"
#include "client/terminal.h"

namespace probegate::client {
namespace {

using namespace std::chrono_literals;

constexpr const char* kMetrics = R"(# HELP probegate_refused Requests refused by probegate itself, by reason.
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
  CHECK(row.span().refused_ratio() == 0.75);
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

TEST_CASE("The last cell of a row goes on below itself where the screen is too narrow") {
  Table table;
  table.add({{"CHECK"}, {"WHY"}});
  table.add({{"redis"}, {"answer: SET: OOM command not allowed"}});
  CHECK(table.text(Paint(false), 36) == "CHECK  WHY\nredis  answer: SET: OOM command not\n       allowed\n");
  CHECK(table.text(Paint(false), 24) == "CHECK  WHY\nredis\n    answer: SET: OOM\n    command not allowed\n");
  CHECK(table.text(Paint(false)) == "CHECK  WHY\nredis  answer: SET: OOM command not allowed\n");
}

TEST_CASE("What a peer wrote cannot steer the terminal, and keeps its letters") {
  CHECK(printable("a\x1b[2J\n\x7f") == "a?[2J??");
  CHECK(printable("caf\xc3\xa9 \xc2\xa0\xc2\x9b"
                  "2J\xc2") == "caf\xc3\xa9 \xc2\xa0?2J\xc2");
}

TEST_CASE("A frame breaks lines before the last column, at blanks, and clears what was there before") {
  const std::string text = Paint(true)(Color::good, "ready") + ", g\xc3\xa4te open\nsecond\n";
  CHECK(frame(text, {.columns = 80, .rows = 24}) ==
        "\x1b[H\x1b[32mready\x1b[0m, g\xc3\xa4te open\x1b[K\nsecond\x1b[K\n\x1b[J");
  CHECK(frame(text, {.columns = 10, .rows = 24}) ==
        "\x1b[H\x1b[32mready\x1b[0m,\x1b[K\ng\xc3\xa4te open\x1b[K\nsecond\x1b[K\n\x1b[J");
  CHECK(frame("abcdefgh", {.columns = 4, .rows = 24}) == "\x1b[Habc\x1b[K\ndef\x1b[K\ngh\x1b[K\n\x1b[J");
  CHECK(frame("abc def", {.columns = 4, .rows = 24}) == "\x1b[Habc\x1b[K\ndef\x1b[K\n\x1b[J");
}

TEST_CASE("A frame that is higher than the screen says how much is missing, above the line of the cursor") {
  CHECK(frame("1\n2\n3\n4\n", {.columns = 80, .rows = 4}) ==
        "\x1b[H1\x1b[K\n2\x1b[K\n... and 2 more lines\x1b[K\n\x1b[J");
  CHECK(frame("1\n2\n3\n", {.columns = 80, .rows = 4}) == "\x1b[H1\x1b[K\n2\x1b[K\n3\x1b[K\n\x1b[J");
  CHECK(frame("1\n2\n3\n", {.columns = 80, .rows = 1}) == "\x1b[H... and 3 more lines\x1b[K\n\x1b[J");
}

TEST_CASE("Colours surround words, never padding, and only where they are on") {
  CHECK(Paint(true)(Color::good, "pass") == "\x1b[32mpass\x1b[0m");
  CHECK(Paint(false)(Color::good, "pass") == "pass");
}

}  // namespace probegate::client
