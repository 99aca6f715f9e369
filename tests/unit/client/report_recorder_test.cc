#include "client/report_recorder.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

namespace probegate::client {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPeriod = 5s;
constexpr Duration kLate = 10ms;  // of each look

// A process that a report watches, on a clock of the test's own.
struct Watched {
  double messages = 0;
  std::string state = "ready";
  TimePoint started{-100s};
  bool status_answers = true;

  Look look() const {
    Look look{{}, status_answers ? state : ""};
    look.reading.counters = {{kMessages, messages}, {kRequests, messages / 10}};
    look.reading.rss_bytes = 1e7;
    look.reading.tunnels = 3;
    if (status_answers) {
      look.started_after = started - 1ms;
      look.started_before = started + 1ms;
    }
    return look;
  }
};

class Watching {
 public:
  explicit Watching(Duration planned, const std::string& fail_on = "")
      : recorder_(report(planned, fail_on), kPeriod, watched.look(), moment()) {}

  // Looks as `report` does, until `end` of the report's time, a thousand messages a minute.
  void run_until(Duration end) {
    while (now_ < TimePoint(end) && !recorder_.over(now_)) {
      const TimePoint next = recorder_.next_look(now_) + kLate;
      if (answers) watched.messages += 1000 * to_seconds(next - now_) / 60;
      now_ = next;
      look();
    }
  }

  void jump(Duration by) {
    now_ += by;
    look();
  }

  const Report& whole() {
    run_until(1h);
    return finish();
  }
  const Report& finish(bool interrupted = false) {
    if (auto row = recorder_.finish(interrupted)) printed.push_back(*row);
    return recorder_.report();
  }

  void restart() {
    watched.messages = 0;
    watched.started = now_;
  }

  Watched watched;
  bool answers = true;
  std::vector<Row> printed;

 private:
  static Report report(Duration planned, const std::string& fail_on) {
    Report report;
    report.planned = planned;
    report.conditions =
        with_reachability(config::parse_conditions(fail_on, config::Observer::remote).value());
    return report;
  }

  Moment moment() const { return {now_, WallTime(now_.time_since_epoch())}; }

  void look() {
    const auto seen = answers ? Result<Look>(watched.look()) : Result<Look>(failure("connection refused"));
    if (auto row = recorder_.take(seen, moment())) printed.push_back(*row);
  }

  TimePoint now_{};
  Recorder recorder_;
};

std::vector<int> minutes(const Report& report) {
  std::vector<int> numbers;
  for (const auto& row : report.rows) numbers.push_back(row.minute);
  return numbers;
}

double messages(const Report& report) {
  double sum = 0;
  for (const auto& row : report.rows) sum += row.count(kMessages);
  return sum;
}

bool has_note(const Report& report, const std::string& text) {
  return std::any_of(report.notes.begin(), report.notes.end(),
                     [&](const std::string& note) { return note.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("Twenty-five minutes are twenty-five rows that follow one another, though every look is late") {
  Watching watching(25min);
  const Report& report = watching.whole();
  REQUIRE(report.rows.size() == 25);
  CHECK(watching.printed.size() == 25);
  WallTime next{};
  for (const auto& row : report.rows) {
    INFO(row.minute);
    CHECK(row.from == next);
    CHECK(row.messages_per_minute() == Approx(1000));
    CHECK(to_seconds(row.length) == Approx(60).margin(0.02));  // lateness does not add up
    next += row.length;
  }
  CHECK(report.rows.back().minute == 25);
  CHECK(messages(report) == Approx(watching.watched.messages));
  CHECK(report.notes.empty());
  CHECK_FALSE(report.failed());
}

TEST_CASE("A window that ends in mid-minute has a last row of what is left") {
  Watching watching(90s);
  const Report& report = watching.whole();
  REQUIRE(minutes(report) == std::vector<int>{1, 2});
  CHECK(to_seconds(report.rows[1].length) == Approx(30).margin(0.02));
  CHECK(report.rows[1].messages_per_minute() == Approx(1000));
}

TEST_CASE("What would be too short a last row is part of the row before it, and is printed with it") {
  Watching watching(122s);
  const Report& report = watching.whole();
  REQUIRE(minutes(report) == std::vector<int>{1, 2});
  CHECK(to_seconds(report.rows[1].length) == Approx(62).margin(0.03));
  CHECK(watching.printed.back().length == report.rows[1].length);
  CHECK(report.notes.empty());
}

TEST_CASE("A window shorter than a minute is one row") {
  Watching watching(30s);
  CHECK(minutes(watching.whole()) == std::vector<int>{1});
  CHECK(watching.printed.size() == 1);
}

TEST_CASE("An interrupt soon after a minute leaves its remnant to that minute, and says so") {
  Watching watching(25min, "messages_per_minute<900");
  watching.run_until(2min);
  watching.jump(1s);  // in which no message came: 0 a minute, if it were a row
  const Report& report = watching.finish(true);
  REQUIRE(minutes(report) == std::vector<int>{1, 2});
  CHECK(to_seconds(report.rows[1].length) == Approx(61).margin(0.03));
  CHECK(report.rows[1].count(kMessages) == Approx(1000).margin(1));
  CHECK(has_note(report, "minute 2: includes the rest of the report, which was shorter than 5s"));
  CHECK_FALSE(report.failed());
}

TEST_CASE("An interrupt later in a minute makes a row of its own") {
  Watching watching(25min);
  watching.run_until(80s);
  CHECK(minutes(watching.finish(true)) == std::vector<int>{1, 2});
}

TEST_CASE("Counters that begin at zero in the middle of a report lose nothing that anybody could know") {
  Watching watching(3min);
  watching.run_until(90s);
  const double before = watching.watched.messages;
  watching.restart();
  const Report& report = watching.whole();
  CHECK(messages(report) == Approx(before + watching.watched.messages));
  CHECK(report.rows[1].restarts == 1);
  CHECK(report.rows[0].restarts + report.rows[2].restarts == 0);
  CHECK(has_note(report, "minute 2, 1970-01-01T00:01:35"));
  CHECK(has_note(report, "restarted: a new process answers"));
  CHECK_FALSE(report.failed());
}

TEST_CASE("A restart is seen by its counters alone where /status does not answer") {
  Watching watching(2min);
  watching.watched.status_answers = false;
  watching.run_until(30s);
  watching.restart();
  CHECK(watching.whole().rows[0].restarts == 1);
}

TEST_CASE("A time in which nobody answers is told in its minutes and fails the report unasked") {
  Watching watching(4min);
  watching.run_until(100s);
  watching.answers = false;
  watching.run_until(150s);
  watching.answers = true;
  const Report& report = watching.whole();
  REQUIRE(report.rows.size() == 4);
  CHECK(to_seconds(report.rows[1].unreachable) == Approx(20).margin(0.1));
  CHECK(to_seconds(report.rows[2].unreachable) == Approx(30).margin(0.1));
  CHECK(report.rows[1].state == "unreachable");
  CHECK(report.rows[2].state == "unreachable");
  CHECK(report.rows[3].state == "ready");
  CHECK(has_note(report, "minute 2, 1970-01-01T00:01:45"));
  CHECK(has_note(report, "not reachable: connection refused"));
  CHECK(has_note(report, "reachable again; events from the meantime are counted in this minute"));
  REQUIRE(report.failed());
  CHECK(report.held_in(report.conditions.back()) == std::vector<int>{2, 3});
}

TEST_CASE("How long nobody may answer is the user's to say") {
  Watching watching(1min, "unreachable_seconds>30");
  watching.answers = false;
  watching.run_until(10s);
  watching.answers = true;
  CHECK_FALSE(watching.whole().failed());
}

TEST_CASE("That nobody answered stays the state of its minute when /status is missing afterwards") {
  Watching watching(1min);
  watching.answers = false;
  watching.run_until(10s);
  watching.answers = true;
  watching.watched.status_answers = false;
  watching.run_until(20s);
  watching.watched.status_answers = true;
  CHECK(watching.whole().rows[0].state == "unreachable");
}

TEST_CASE("A minute's state is ready, or the last that was not") {
  Watching watching(3min);
  watching.run_until(70s);
  watching.watched.state = "not_ready";
  watching.run_until(80s);
  watching.watched.state = "ready";
  const Report& report = watching.whole();
  CHECK(report.rows[0].state == "ready");
  CHECK(report.rows[1].state == "not_ready");
  CHECK(report.rows[2].state == "ready");
}

TEST_CASE("A report that was itself suspended has one long row, and later rows keep their minute's number") {
  Watching watching(10min);
  watching.run_until(70s);
  watching.jump(167s);  // to 3:57, three seconds before a minute ends
  const Report& report = watching.whole();
  CHECK(minutes(report) == std::vector<int>{1, 2, 4, 6, 7, 8, 9, 10});
  CHECK(to_seconds(report.rows[1].length) == Approx(177).margin(0.1));
  CHECK(to_seconds(report.rows[2].length) == Approx(63).margin(0.1));
}

TEST_CASE("Without any traffic nothing is divided by zero, and only what asks for traffic holds") {
  Report planned;
  planned.planned = 1min;
  planned.conditions =
      config::parse_conditions("refused_ratio>0,messages_per_minute<1", config::Observer::remote).value();
  Recorder recorder(planned, kPeriod, Watched{}.look(), Moment{});
  CHECK_FALSE(recorder.take(Watched{}.look(), Moment{TimePoint(1min), {}}));
  REQUIRE(recorder.finish(false));
  const Report& report = recorder.report();
  CHECK(report.held_in(report.conditions[0]).empty());
  CHECK(report.held_in(report.conditions[1]) == std::vector<int>{1});
}

}  // namespace probegate::client
