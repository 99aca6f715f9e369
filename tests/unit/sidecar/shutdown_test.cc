#include "sidecar/shutdown.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "fake_clock.h"

namespace probegate::sidecar {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

constexpr Duration kDelay = 5s;
constexpr Duration kTimeout = 20s;

// A process of which every part does what it is told, when the test says so.
struct Process final : Shutdown::Host {
  Process() {
    std::vector<Shutdown::Participant> all;
    for (const char* const name : {"first", "second"}) {
      for (const Phase phase : health::kPhases) {
        const bool first = name == std::string_view("first");
        all.push_back({phase, first ? Shutdown::When::at_the_end : Shutdown::When::always,
                       [this, name, phase](Duration time) {
                         told.push_back(std::string(name) + " " + std::string(to_string(phase)));
                         limit = time;
                         if (at_once && *at_once == phase) complete(phase);
                       }});
      }
    }
    shutdown.set_participants(std::move(all));
  }
  ~Process() { ::close(null); }

  void wake_after(std::optional<Duration> time) override {
    due = time ? std::optional(clock.now() + *time) : std::nullopt;
  }
  void give_up(const Ending& ending) override { gave_up = ending; }

  void end() { shutdown.end("SIGTERM", kDelay, kTimeout); }
  void drain() { shutdown.drain("somebody", kDelay, kTimeout); }  // by a command
  // What the participants of that phase have to say for it to be over.
  void complete(Phase phase) {
    switch (phase) {
      case Phase::closing:
      case Phase::cutting: return shutdown.loops_ended();
      case Phase::stopping_auth: return shutdown.auth_ended();
      case Phase::flushing_alerts: return shutdown.alerts_flushed();
      case Phase::recording: return shutdown.recorded();
      default: FAIL("nobody ends this phase");
    }
  }
  // Lets the time of this phase pass.
  Duration time_up() {
    REQUIRE(due);
    const Duration left = *due - clock.now();
    clock.advance(left);
    due.reset();
    shutdown.on_time();
    return left;
  }
  void reach(Phase phase) {
    if (phase == Phase::running) return;
    end();
    if (phase == Phase::lame_duck) return;
    time_up();
    if (phase == Phase::cutting) time_up();
    while (shutdown.phase() < phase) complete(shutdown.phase());
    REQUIRE(shutdown.phase() == phase);
  }

  FakeClock clock;
  int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  Log log{null, LogLevel::debug, LogFormat::json, clock};
  Shutdown shutdown{clock, log, *this};
  Words told;
  Duration limit{0};             // of whoever was told last
  std::optional<Phase> at_once;  // in which everything is done before the call returns
  std::optional<TimePoint> due;
  std::optional<Ending> gave_up;
};

TEST_CASE("Every phase has its own word") {
  Words words;
  for (const Phase phase : health::kPhases) words.emplace_back(to_string(phase));
  CHECK(words == Words{"running", "lame_duck", "closing", "cutting", "stopping_auth", "flushing_alerts",
                       "recording", "done"});
}

TEST_CASE("A phase follows another only where the drawing has an edge") {
  using P = Phase;
  const std::vector<std::pair<Phase, std::vector<Phase>>> edges = {
      {P::running, {P::lame_duck, P::cutting}},
      {P::lame_duck, {P::closing, P::running}},
      {P::closing, {P::cutting, P::stopping_auth, P::running}},
      {P::cutting, {P::stopping_auth, P::running}},
      {P::stopping_auth, {P::flushing_alerts}},
      {P::flushing_alerts, {P::recording}},
      {P::recording, {P::done}},
      {P::done, {}},
  };
  REQUIRE(edges.size() == std::size(health::kPhases));
  for (const auto& [before, allowed] : edges) {
    for (const Phase next : health::kPhases) {
      CAPTURE(to_string(before), to_string(next));
      const bool edge = std::find(allowed.begin(), allowed.end(), next) != allowed.end();
      CHECK(Shutdown::may_follow(before, next) == edge);
    }
  }
}

TEST_CASE("A signal leads through every phase to the end, and each tells its participants in their order") {
  Process p;
  p.end();
  CHECK(p.told == Words{"first lame_duck", "second lame_duck"});
  CHECK(p.time_up() == kDelay);
  CHECK(p.shutdown.phase() == Phase::closing);
  for (const Phase phase :
       {Phase::closing, Phase::stopping_auth, Phase::flushing_alerts, Phase::recording, Phase::done}) {
    REQUIRE(p.shutdown.phase() == phase);
    CHECK(p.told[p.told.size() - 2] == "first " + std::string(to_string(phase)));
    CHECK(p.told.back() == "second " + std::string(to_string(phase)));
    if (phase != Phase::done) p.complete(phase);
  }
  CHECK(p.told.size() == 12);
  CHECK(p.shutdown.ending_as().exit_code == 0);
  CHECK(p.shutdown.ending_as().cause == "drained");
  CHECK_FALSE(p.due);
  CHECK_FALSE(p.gave_up);
}

TEST_CASE("Without a delay the listeners close in the turn of the signal") {
  Process p;
  p.shutdown.end("SIGTERM", 0s, kTimeout);
  CHECK(p.shutdown.phase() == Phase::closing);
  CHECK(p.told == Words{"first lame_duck", "second lame_duck", "first closing", "second closing"});
  CHECK(*p.due - p.clock.now() == kTimeout);
}

TEST_CASE("When its time is over a phase gives way to the next one, or everything is given up") {
  struct Row {
    Phase phase;
    std::optional<Duration> time;  // after its predecessor had all of its own
    Phase next;
    std::string_view given_up = {};
  };
  const Row rows[] = {
      {Phase::running, {}, {}},
      {Phase::lame_duck, kDelay, Phase::closing},
      {Phase::closing, kTimeout, Phase::cutting},
      {Phase::cutting, 1s, Phase::cutting, "stuck_loop"},
      {Phase::stopping_auth, kTimeout + 1s, Phase::stopping_auth, "stuck_loop"},
      {Phase::flushing_alerts, 2s + 1s, Phase::flushing_alerts, "drained"},
      {Phase::recording, {}, {}},
      {Phase::done, {}, {}},
  };
  static_assert(std::size(rows) == std::size(health::kPhases));
  for (const Row& row : rows) {
    CAPTURE(to_string(row.phase));
    Process p;
    p.reach(row.phase);
    REQUIRE(p.due.has_value() == row.time.has_value());
    if (!row.time) continue;
    CHECK(p.time_up() == *row.time);
    CHECK(p.shutdown.phase() == row.next);
    REQUIRE(p.gave_up.has_value() == !row.given_up.empty());
    if (p.gave_up) CHECK(p.gave_up->cause == row.given_up);
    if (p.gave_up) CHECK(p.gave_up->exit_code == 0);
  }
}

TEST_CASE("A second signal gives everything up in every phase of the end") {
  for (const Phase phase : health::kPhases) {
    if (phase < Phase::lame_duck) continue;
    CAPTURE(to_string(phase));
    Process p;
    p.reach(phase);
    REQUIRE(p.shutdown.ending());
    p.shutdown.force();
    REQUIRE(p.gave_up);
    CHECK(p.gave_up->exit_code == 1);
    CHECK(p.gave_up->cause == "second_signal");
  }
}

TEST_CASE("Data loops that end after the cut leave the auth loop what is left of its time") {
  Process p;
  p.reach(Phase::cutting);
  p.clock.advance(400ms);
  p.shutdown.loops_ended();
  CHECK(p.shutdown.phase() == Phase::stopping_auth);
  CHECK(p.time_up() == 600ms);
  CHECK(p.gave_up->cause == "stuck_loop");
}

TEST_CASE("Alerts have what is left of the drain, and two seconds at most") {
  for (const auto& [late, limit] : {std::pair<Duration, Duration>{0s, 2s}, {19s, 1s}, {20s, 0s}}) {
    CAPTURE(late.count());
    Process p;
    p.reach(Phase::closing);
    p.clock.advance(late);
    p.shutdown.loops_ended();
    p.shutdown.auth_ended();
    CHECK(p.shutdown.phase() == Phase::flushing_alerts);
    CHECK(p.limit == limit);
    CHECK(*p.due - p.clock.now() == limit + 1s);
  }
}

TEST_CASE("What is told twice, or after its phase, changes nothing") {
  Process p;
  p.reach(Phase::flushing_alerts);
  p.shutdown.loops_ended();
  p.shutdown.auth_ended();
  CHECK(p.shutdown.phase() == Phase::flushing_alerts);
  p.shutdown.alerts_flushed();
  p.shutdown.alerts_flushed();
  p.shutdown.loops_ended();
  CHECK(p.shutdown.phase() == Phase::recording);
}

TEST_CASE("A participant that is done at once ends its phase, and those behind it are not started any more") {
  Process p;
  p.at_once = Phase::stopping_auth;
  p.reach(Phase::closing);
  p.told.clear();
  p.shutdown.loops_ended();
  CHECK(p.told == Words{"first stopping_auth", "first flushing_alerts", "second flushing_alerts"});
}

TEST_CASE("A startup that has failed cuts at once, and says so with the exit code") {
  Process p;
  p.shutdown.startup_failed();
  CHECK(p.shutdown.phase() == Phase::cutting);
  CHECK(p.told == Words{"first cutting", "second cutting"});
  CHECK(*p.due - p.clock.now() == 1s);
  p.shutdown.loops_ended();
  p.shutdown.auth_ended();
  CHECK(p.limit == 2s);
  p.shutdown.alerts_flushed();
  CHECK(p.shutdown.ending_as().exit_code == 1);
  CHECK(p.shutdown.ending_as().cause == "startup_timeout");
}

TEST_CASE("A drain by a command starts what is always due, stays after its time, and can be resumed") {
  Process p;
  p.drain();
  CHECK(p.shutdown.by_command());
  CHECK_FALSE(p.shutdown.ending());
  CHECK(p.time_up() == kDelay);
  CHECK(p.time_up() == kTimeout);
  CHECK(p.shutdown.phase() == Phase::cutting);
  CHECK_FALSE(p.due);
  CHECK(p.told == Words{"second lame_duck", "second closing", "second cutting"});
  p.told.clear();
  p.shutdown.resume();
  CHECK(p.shutdown.phase() == Phase::running);
  CHECK_FALSE(p.shutdown.drain());
  CHECK(p.told == Words{"second running"});
}

TEST_CASE("A drain by a command can be resumed in each of its phases, and begun again") {
  for (const int phases : {0, 1, 2}) {
    CAPTURE(phases);
    Process p;
    p.drain();
    for (int i = 0; i < phases; ++i) p.time_up();
    p.shutdown.resume();
    CHECK(p.shutdown.phase() == Phase::running);
    CHECK_FALSE(p.shutdown.by_command());
    CHECK_FALSE(p.due);
    p.drain();
    CHECK(p.shutdown.phase() == Phase::lame_duck);
    CHECK(*p.due - p.clock.now() == kDelay);
  }
}

TEST_CASE("A signal in a drain by a command makes up for what it left out, in what remains of its time") {
  struct Row {
    int phases;
    Words told;
    Duration left;
  };
  const Row rows[] = {
      {0, {"first lame_duck", "second lame_duck"}, kDelay - 1s},
      {1, {"first lame_duck", "first closing", "second closing"}, kTimeout - 1s},
      {2, {"first lame_duck", "first closing", "first cutting", "second cutting"}, 1s},
  };
  for (const auto& row : rows) {
    CAPTURE(row.phases);
    Process p;
    p.drain();
    for (int i = 0; i < row.phases; ++i) p.time_up();
    p.clock.advance(1s);
    p.told.clear();
    p.end();
    CHECK(p.shutdown.ending());
    CHECK_FALSE(p.shutdown.by_command());
    CHECK(p.told == row.told);
    REQUIRE(p.due);
    CHECK(*p.due - p.clock.now() == row.left);
    CHECK_FALSE(p.gave_up);
  }
}

TEST_CASE("A signal ends a process that a command has drained at once where its loops have nothing left") {
  Process p;
  p.drain();
  p.time_up();
  p.at_once = Phase::closing;
  p.end();
  CHECK(p.shutdown.phase() == Phase::stopping_auth);
  CHECK(p.shutdown.ending_as().cause == "drained");
}

TEST_CASE("Who began the drain is known while it lasts, and the signal takes it over") {
  Process p;
  CHECK_FALSE(p.shutdown.drain());
  p.drain();
  REQUIRE(p.shutdown.drain());
  CHECK(p.shutdown.drain()->by == "somebody");
  CHECK(p.shutdown.drain()->deadline - p.shutdown.drain()->since == kDelay + kTimeout);
  p.end();
  CHECK(p.shutdown.drain()->by == "SIGTERM");
}

}  // namespace
}  // namespace probegate::sidecar
