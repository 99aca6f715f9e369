// What is told to a receiver, and above all what is not.
#include "alerts/policy.h"

#include <catch2/catch.hpp>

#include "fake_clock.h"

namespace probegate::alerts {
namespace {

using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

PolicyOptions all() {
  PolicyOptions options;
  options.on.fill(true);
  return options;
}

PolicyOptions only(std::initializer_list<Kind> kinds) {
  PolicyOptions options;
  for (const auto kind : kinds) options.on[static_cast<std::size_t>(kind)] = true;
  return options;
}

// A receiver, its clock, and what happens.
struct Bench {
  explicit Bench(const PolicyOptions& options = all()) : policy(options) {}

  Texts texts(const std::vector<Message>& messages) {
    Texts lines;
    for (const auto& message : messages) {
      lines.push_back(std::string(to_string(message.kind)) + " " + std::string(to_string(message.phase)) +
                      " " + message.text);
    }
    return lines;
  }
  Texts event(health::Event event) {
    event.wall = clock.wall_now();
    return texts(policy.on_event(event, clock.now()));
  }
  Texts check(const std::string& from, const std::string& to, const std::string& name = "redis") {
    health::Event event{.kind = health::EventKind::check, .check = name, .from = from, .to = to};
    if (to == "fail") event.error = health::CheckError{health::FailKind::connect, "connection refused"};
    return this->event(event);
  }
  Texts open() {
    return event({.kind = health::EventKind::gate, .from = "starting", .to = "open", .took = 3200ms});
  }
  Texts later(Duration by) {
    clock.advance(by);
    return texts(policy.on_time({clock.now(), clock.wall_now()}));
  }
  Texts minute(config::Span span) {
    clock.advance(1min);
    span.length = 1min;
    return texts(policy.on_window(span, {clock.now(), clock.wall_now()}));
  }

  Policy policy;
  FakeClock clock;
};

TEST_CASE("A start is told once, with its time, and its failing checks are not") {
  Bench bench;
  CHECK(bench.check("unknown", "fail").empty());
  CHECK(bench.check("fail", "pass").empty());
  CHECK(bench.open() == Texts{"ready event ready: the gate opened 3.2 s after the start"});
  bench.event({.kind = health::EventKind::gate, .from = "open", .to = "closed"});
  CHECK(bench.open().empty());
}

TEST_CASE("A check that is down is told once, and resolved when it is up") {
  Bench bench;
  bench.open();
  CHECK(bench.check("pass", "fail") ==
        Texts{"check_down firing check redis is down: connect: connection refused"});
  CHECK(bench.check("pass", "fail").empty());
  CHECK(bench.later(1h).empty());
  CHECK(bench.check("fail", "pass") == Texts{"check_up resolved check redis is up again after 1h"});
  CHECK(bench.check("pass", "warn").empty());
  CHECK(bench.check("warn", "pass").empty());
}

TEST_CASE("A check that fails all through the start is told when the gate opens") {
  Bench bench;
  bench.check("unknown", "fail");
  const auto told = bench.open();
  REQUIRE(told.size() == 2);
  CHECK(told.back() == "check_down firing check redis is down: connect: connection refused");
}

TEST_CASE("A start that times out is told with what it waits for, and resolved by the gate that opens") {
  Bench bench;
  CHECK(bench.event({.kind = health::EventKind::startup_timeout, .waiting_for = {"database", "redis"}}) ==
        Texts{"startup_timeout firing startup timed out, still waiting for database, redis"});
  CHECK(bench.open() == Texts{"ready resolved ready: the gate opened 3.2 s after the start"});

  Bench without_ready(only({Kind::startup_timeout}));
  without_ready.event({.kind = health::EventKind::startup_timeout, .waiting_for = {"database"}});
  CHECK(without_ready.open() ==
        Texts{"startup_timeout resolved ready: the gate opened 3.2 s after the start"});
}

TEST_CASE("What stays wrong is told again at every reminder, and not after it was mended") {
  auto options = all();
  options.reminder = 1h;
  Bench bench(options);
  bench.open();
  CHECK_FALSE(bench.policy.next_due());
  bench.check("pass", "fail");
  CHECK(bench.policy.next_due() == bench.clock.now() + 1h);
  CHECK(bench.later(59min).empty());
  CHECK(bench.later(1min) ==
        Texts{"check_down reminder check redis is down: connect: connection refused, for 1h now"});
  CHECK(bench.later(1min).empty());
  CHECK(bench.later(59min).size() == 1);
  bench.check("fail", "pass");
  CHECK(bench.later(2h).empty());
  CHECK_FALSE(bench.policy.next_due());
}

TEST_CASE("A check that flaps is told as that, then not at all, and in the end how it settled") {
  Bench bench;
  bench.open();
  std::size_t told = 0;
  for (int i = 0; i < 3; ++i) {
    told += bench.check("pass", "fail").size();
    bench.clock.advance(10s);
    told += bench.check("fail", "pass").size();
    bench.clock.advance(10s);
  }
  CHECK(told == 6);
  CHECK(
      bench.check("pass", "fail") ==
      Texts{"flapping firing check redis is flapping: down 4 times within 10m: connect: connection refused"});
  for (int i = 0; i < 50; ++i) {
    CHECK(bench.check("fail", "pass").empty());
    CHECK(bench.check("pass", "fail").empty());
    CHECK(bench.later(10s).empty());
  }
  CHECK(bench.later(9min).empty());
  CHECK(bench.later(1min) == Texts{"flapping resolved check redis has been down for 10m"});
  CHECK(bench.check("fail", "pass").size() == 1);
}

TEST_CASE("Slow changes are no flapping") {
  Bench bench;
  bench.open();
  for (int i = 0; i < 20; ++i) {
    CHECK(bench.check("pass", "fail").size() == 1);
    bench.clock.advance(4min);
    CHECK(bench.check("fail", "pass").size() == 1);
    bench.clock.advance(1min);
  }
}

TEST_CASE("Who does not want to hear of flapping hears of every change") {
  Bench bench(only({Kind::check_down, Kind::check_up}));
  bench.open();
  for (int i = 0; i < 20; ++i) {
    CHECK(bench.check("pass", "fail").size() == 1);
    CHECK(bench.check("fail", "pass").size() == 1);
  }
}

TEST_CASE("Restarts of the backend that come fast are summed up") {
  Bench bench;
  const health::Event restart{.kind = health::EventKind::backend_restart};
  CHECK(bench.event(restart) == Texts{"restart event the backend restarted"});
  for (int i = 0; i < 7; ++i) CHECK(bench.event(restart).empty());
  CHECK(bench.later(4min).empty());
  CHECK(bench.later(1min) == Texts{"restart event the backend restarted 7 more times"});
  CHECK(bench.later(1h).empty());
  CHECK(bench.event(restart).size() == 1);
}

TEST_CASE("A start after a crash is told, and one after a drain is not") {
  Bench bench;
  CHECK(bench.event({.kind = health::EventKind::start, .from = "drained"}).empty());
  CHECK(bench.event({.kind = health::EventKind::start, .from = "unclean", .message = "it was killed"}) ==
        Texts{"restart event it was killed"});
}

PolicyOptions with_thresholds(const std::string& text) {
  auto options = all();
  options.thresholds = config::parse_conditions(text, config::Observer::self).value();
  return options;
}

TEST_CASE(
    "A threshold fires in the minute in which it holds, once, and resolves in the one in which it does not") {
  Bench bench(with_thresholds("refused_per_minute>100"));
  bench.open();
  bench.minute({});  // in which the gate opened
  CHECK(bench.minute({.refused = 100}).empty());
  CHECK(bench.minute({.refused = 101}) ==
        Texts{"threshold firing refused_per_minute was 101 in the last 1m, which is >100"});
  CHECK(bench.minute({.refused = 5000}).empty());
  CHECK(bench.minute({.refused = 0}) ==
        Texts{"threshold resolved refused_per_minute was 0 in the last 1m, which is no longer >100"});
  CHECK(bench.minute({.refused = 0}).empty());
}

TEST_CASE(
    "What is refused before the gate has opened, or in the minute in which it does, crosses no threshold") {
  Bench bench(with_thresholds("check_failures>0"));
  CHECK(bench.minute({.check_failures = 50}).empty());
  bench.open();
  CHECK(bench.minute({.check_failures = 50}).empty());
  CHECK(bench.minute({.check_failures = 1}).size() == 1);
}

TEST_CASE("A threshold that a reload took away is forgotten, and its reminders with it") {
  auto options = with_thresholds("rss_bytes>1MiB,tunnels>5");
  options.reminder = 1h;
  Bench bench(options);
  bench.open();
  bench.minute({});
  CHECK(bench.minute({.tunnels = 6, .rss_bytes = 2e6}).size() == 2);
  options.thresholds.erase(options.thresholds.begin());
  bench.policy.set_options(options);
  CHECK(bench.later(1h) == Texts{"threshold reminder tunnels was 6 in the last 1m, which is >5, for 1h now"});
}

TEST_CASE("Memory that cannot be read crosses no threshold") {
  Bench bench(with_thresholds("rss_bytes>0"));
  bench.open();
  bench.minute({});
  CHECK(bench.minute({}).empty());
}

TEST_CASE("Only what a receiver wants is told") {
  Bench bench(only({Kind::check_up}));
  CHECK(bench.open().empty());
  CHECK(bench.check("pass", "fail").empty());
  CHECK(bench.check("fail", "pass").size() == 1);
  CHECK(bench.event({.kind = health::EventKind::startup_timeout, .waiting_for = {"a"}}).empty());
}

TEST_CASE("A receiver that is new at a reload hears of what changes from then on") {
  Bench bench;
  bench.policy.begin_late(true, {"redis"}, {bench.clock.now(), bench.clock.wall_now()});
  CHECK(bench.check("pass", "fail", "database").size() == 1);
  CHECK(bench.later(2min).empty());
  CHECK(bench.check("fail", "pass") == Texts{"check_up resolved check redis is up again after 2m"});
}

TEST_CASE("A check that a reload took away is remembered no more") {
  auto options = all();
  options.reminder = 1h;
  Bench bench(options);
  bench.open();
  bench.check("pass", "fail");
  bench.policy.keep_checks({"database"});
  CHECK(bench.later(2h).empty());
  bench.policy.keep_checks({"database", "redis"});  // another one of that name
  CHECK(bench.check("unknown", "fail").size() == 1);
}

health::Event stopping(Duration time) { return {.kind = health::EventKind::backend_stopping, .took = time}; }

TEST_CASE("A planned stop of the backend is told to nobody when it is over in time") {
  Bench bench;
  bench.open();
  CHECK(bench.event(stopping(8s)).empty());
  CHECK(bench.check("pass", "fail", "websocket").empty());
  CHECK(bench.later(5s).empty());
  CHECK(bench.event({.kind = health::EventKind::backend_restart}).empty());
  CHECK(bench.check("fail", "pass", "websocket").empty());
  CHECK(bench.later(1h).empty());
}

TEST_CASE("What is still down after a planned stop is told with the time at which it fell") {
  Bench bench;
  bench.open();
  bench.event(stopping(8s));
  bench.clock.advance(2s);
  const WallTime fell = bench.clock.wall_now();
  bench.check("pass", "fail", "websocket");
  CHECK(bench.later(5s).empty());
  REQUIRE(bench.policy.next_due());
  CHECK((*bench.policy.next_due() == bench.clock.now() + 1s));
  bench.clock.advance(1s);
  const auto told = bench.policy.on_time({bench.clock.now(), bench.clock.wall_now()});
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == Kind::check_down);
  CHECK((told[0].at == fell));
  CHECK((told[0].since == fell));
  CHECK(bench.check("fail", "pass", "websocket") ==
        Texts{"check_up resolved check websocket is up again after 6s"});
}

TEST_CASE("The first Close of a planned stop counts, and after its time another stop may begin") {
  Bench bench;
  bench.open();
  bench.event(stopping(8s));
  bench.check("pass", "fail", "websocket");
  bench.clock.advance(8s);
  CHECK(bench.event(stopping(8s)).size() == 1);
}

TEST_CASE("A backend that is gone is told after a moment, in which our own end or its last Close may come") {
  const auto gone = [] {
    health::Event event{.kind = health::EventKind::check, .check = "websocket", .from = "pass", .to = "fail"};
    event.of_backend = true;
    return event;
  };
  Bench bench;
  bench.open();
  CHECK(bench.event(gone()).empty());
  CHECK(bench.later(Policy::kBackendPause - 1ms).empty());
  CHECK(bench.later(1ms).size() == 1);

  Bench planned;
  planned.open();
  planned.event(gone());
  planned.clock.advance(1s);
  CHECK(planned.event(stopping(8s)).empty());
  CHECK(planned.later(7s).empty());
  CHECK(planned.later(1s).size() == 1);
}

TEST_CASE("What a check asks is told with it") {
  Bench bench;
  bench.open();
  health::Event event{.kind = health::EventKind::check, .check = "database", .from = "pass", .to = "fail"};
  event.target = "10.0.0.5:5432/app";
  const auto told = bench.policy.on_event(event, bench.clock.now());
  REQUIRE(told.size() == 1);
  CHECK(told[0].text == "check database (10.0.0.5:5432/app) is down");
  CHECK(told[0].target == "10.0.0.5:5432/app");
}

TEST_CASE("How long something was down does not depend on the wall clock") {
  Bench bench;
  bench.open();
  bench.check("pass", "fail");
  bench.clock.advance(60s);
  health::Event event{.kind = health::EventKind::check,
                      .wall = bench.clock.wall_now() - 3h,
                      .check = "redis",
                      .from = "fail",
                      .to = "pass"};
  CHECK(bench.texts(bench.policy.on_event(event, bench.clock.now())) ==
        Texts{"check_up resolved check redis is up again after 1m"});
}

}  // namespace
}  // namespace probegate::alerts
