#include "loop/deadline.h"

#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>
#include <vector>

#include "support/test_loop.h"

namespace probegate::test {
namespace {

using loop::Deadline;
using loop::DeadlineWheel;

// A deadline that notes when it fires.
struct Alarm final : Deadline::Observer {
  Alarm(TestLoop& l, DeadlineWheel& wheel) : loop(*l), deadline(wheel, *this) {}

  void arm(Duration delay) {
    armed_at = loop.now();
    wanted = delay;
    deadline.arm(delay);
  }
  void on_deadline(Deadline&) override {
    ++fired;
    took = loop.now() - armed_at;
    if (hook) hook();
  }

  loop::Loop& loop;
  Deadline deadline;
  TimePoint armed_at{};
  Duration wanted{0};
  Duration took{0};
  int fired = 0;
  std::function<void()> hook;
};

TEST_CASE("Deadline fires once, never early, and at most a few ticks late") {
  TestLoop loop;
  DeadlineWheel wheel(loop);
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int i = 0; i < 5000; ++i) {
    alarms.push_back(std::make_unique<Alarm>(loop, wheel));
    alarms.back()->arm(Millis(1 + (i * 7919) % 400));
  }
  const auto all = [&] {
    return std::all_of(alarms.begin(), alarms.end(), [](auto& a) { return a->fired > 0; });
  };
  REQUIRE(loop.until(all));
  loop.run_for(30ms);

  Duration latest{0};
  for (const auto& alarm : alarms) {
    REQUIRE(alarm->fired == 1);
    REQUIRE(alarm->took >= alarm->wanted);
    REQUIRE_FALSE(alarm->deadline.armed());
    latest = std::max(latest, alarm->took - alarm->wanted);
  }
  CHECK(latest < 250ms);  // generous for a busy machine; idle it is below 25 ms
}

TEST_CASE("Deadline armed in a long turn counts from then, not from the start of the turn") {
  TestLoop loop;
  DeadlineWheel wheel(loop);
  Alarm alarm(loop, wheel);
  const TimePoint end = loop->now() + 60ms;
  while (loop->now() < end) {
  }
  alarm.arm(20ms);
  REQUIRE(loop.until([&] { return alarm.fired == 1; }));
  CHECK(alarm.took >= 20ms);
}

// The loop does not turn, as in a process that is not allowed to run.
void stand_still(TestLoop& loop, Duration time) {
  for (const TimePoint end = loop->now() + time; loop->now() < end;) {
  }
}

TEST_CASE("Deadline that passed while the loop was suspended begins anew, and fires the second time") {
  TestLoop loop;
  DeadlineWheel wheel(loop);
  Alarm early(loop, wheel), late(loop, wheel), fresh(loop, wheel);
  early.arm(200ms);
  late.arm(1s);
  stand_still(loop, 800ms);
  const TimePoint thawed = loop->now();
  SECTION("noticed when it is due") {}
  SECTION("noticed by the next to be armed, which has lost nothing") { fresh.arm(100ms); }
  REQUIRE(loop.until([&] { return early.fired == 1; }));
  CHECK(loop->now() - thawed >= 200ms);
  CHECK(late.fired == 0);
  if (fresh.armed_at != TimePoint{}) CHECK(fresh.fired == 1);
  stand_still(loop, 1600ms);
  loop.settle();
  CHECK(late.fired == 1);
}

TEST_CASE("Deadline that is on time is not put off by a standstill before it") {
  TestLoop loop;
  DeadlineWheel wheel(loop);
  Alarm alarm(loop, wheel), other(loop, wheel);
  alarm.arm(900ms);
  stand_still(loop, 700ms);
  REQUIRE(loop.until([&] { return alarm.fired == 1; }));
  CHECK(alarm.took < 1500ms);
}

TEST_CASE("Deadline may be armed again inside its callback") {
  TestLoop loop;
  DeadlineWheel wheel(loop);
  Alarm alarm(loop, wheel);
  std::vector<Duration> intervals;
  alarm.hook = [&] {
    intervals.push_back(alarm.took);
    if (alarm.fired < 5) alarm.arm(15ms);
  };
  alarm.arm(15ms);
  REQUIRE(loop.until([&] { return alarm.fired == 5; }));
  for (const Duration interval : intervals) CHECK(interval >= 15ms);
  CHECK_FALSE(alarm.deadline.armed());
}

TEST_CASE("Deadline restarts, disarms, and takes zero as off") {
  TestLoop loop;
  DeadlineWheel wheel(loop);
  Alarm restarted(loop, wheel), disarmed(loop, wheel), off(loop, wheel);
  restarted.arm(10ms);
  disarmed.arm(10ms);
  off.arm(10ms);
  CHECK(off.deadline.armed());
  restarted.arm(120ms);
  disarmed.deadline.disarm();
  off.arm(0ms);
  CHECK_FALSE(off.deadline.armed());

  REQUIRE(loop.until([&] { return restarted.fired > 0; }));
  CHECK(restarted.took >= 120ms);
  CHECK(disarmed.fired + off.fired == 0);
}

TEST_CASE("Deadline may disarm, arm or destroy any other inside a callback, due ones as well") {
  TestLoop loop;
  DeadlineWheel wheel(loop);
  std::vector<std::unique_ptr<Alarm>> alarms;
  int fired = 0;
  for (int i = 0; i < 40; ++i) {
    alarms.push_back(std::make_unique<Alarm>(loop, wheel));
    alarms.back()->hook = [&, i] {
      ++fired;
      // All are due in the same tick; whoever comes first takes its neighbours along.
      for (const int other : {i - 1, i + 1}) {
        if (other >= 0 && other < 40 && other % 2 == 0) alarms[static_cast<std::size_t>(other)].reset();
      }
      if (i % 2 == 1 && alarms[0]) alarms[0]->arm(5ms);
    };
  }
  for (auto& alarm : alarms) alarm->arm(20ms);
  REQUIRE(loop.until([&] { return fired >= 20; }));
  loop.run_for(50ms);
  for (std::size_t i = 1; i < alarms.size(); i += 2) {
    REQUIRE(alarms[i]);
    CHECK(alarms[i]->fired == 1);
  }
}

TEST_CASE("Deadline destroyed in its own callback is not touched again") {
  TestLoop loop;
  DeadlineWheel wheel(loop);
  auto alarm = std::make_unique<Alarm>(loop, wheel);
  bool fired = false;
  alarm->hook = [&] {
    fired = true;
    alarm.reset();
  };
  alarm->arm(10ms);
  CHECK(loop.until([&] { return fired; }));
}

TEST_CASE("Deadline's exception strands no other and reaches the sink of the scope it was made in") {
  TestLoop loop;
  DeadlineWheel wheel(loop);
  RecordingSink narrow;
  std::unique_ptr<Alarm> broken;
  {
    loop::Loop::Scope scope(*loop, &narrow);
    broken = std::make_unique<Alarm>(loop, wheel);
  }
  Alarm before(loop, wheel), after(loop, wheel);
  broken->hook = [] { throw std::runtime_error("no luck"); };
  before.arm(20ms);
  broken->arm(20ms);
  after.arm(20ms);
  REQUIRE(loop.until([&] { return before.fired + broken->fired + after.fired == 3; }));
  CHECK(narrow.errors == std::vector<std::string>{"no luck"});
  CHECK(loop.sink.errors.empty());
}

TEST_CASE("Deadlines many turns of the wheel apart keep their time") {
  TestLoop loop;
  DeadlineWheel wheel(loop);
  // Same slot (10.24 s for one turn of the wheel): the near one must not fire the far one.
  Alarm near(loop, wheel), far(loop, wheel);
  near.arm(50ms);
  far.arm(50ms + 10'240ms);
  REQUIRE(loop.until([&] { return near.fired == 1; }));
  loop.run_for(50ms);
  CHECK(far.fired == 0);
  CHECK(far.deadline.armed());
}

TEST_CASE("Deadline wheel with nothing armed lets the loop sleep") {
  TestLoop loop;
  DeadlineWheel wheel(loop);
  {
    Alarm alarm(loop, wheel);
    alarm.arm(10ms);
    REQUIRE(loop.until([&] { return alarm.fired == 1; }));
    alarm.arm(10ms);
  }
  loop.run_for(50ms);
  // Only handles that are active and referenced keep a loop alive.
  CHECK(uv_loop_alive(loop->uv()) == 0);
}

}  // namespace
}  // namespace probegate::test
