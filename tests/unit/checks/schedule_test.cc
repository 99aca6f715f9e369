#include "checks/schedule.h"

#include <catch2/catch.hpp>

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::CheckState;
using health::CheckStatus;
using health::FailKind;
using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};
constexpr Pace kPace{.interval = 10s, .startup_interval = 200ms, .initial_delay = 0s};

CheckState state(CheckStatus status, bool ever_passed) {
  CheckState s;
  s.status = status;
  if (ever_passed) s.startup = 1s;
  return s;
}
const CheckState kNeverPassed = state(CheckStatus::fail, false);
const CheckState kPassing = state(CheckStatus::pass, true);
const CheckState kFailing = state(CheckStatus::fail, true);

Duration wait(Schedule& schedule, const CheckResult& result, const CheckState& s, Duration took = 5ms,
              double chance = 0.0, bool crashed = false) {
  return schedule.next({kStart, kStart + took, result, crashed}, s, chance) - kStart;
}

CheckResult refused() { return CheckResult::fail(FailKind::connect, "refused"); }
CheckResult wrong_password() { return CheckResult::fail(FailKind::auth, "wrong password"); }

}  // namespace

TEST_CASE("Schedule begins within 20 ms, or exactly after the initial delay") {
  CHECK(Schedule(kPace, false).first(kStart, 0.0) == kStart);
  CHECK(Schedule(kPace, false).first(kStart, 0.999) <= kStart + 20ms);
  CHECK(Schedule({10s, 200ms, 3s}, false).first(kStart, 0.5) == kStart + 3s);
}

TEST_CASE("Schedule counts from start to start") {
  Schedule schedule(kPace, false);
  CHECK(wait(schedule, refused(), kNeverPassed) == 200ms);
  CHECK(wait(schedule, refused(), kNeverPassed, 150ms) == 200ms);
  CHECK(wait(schedule, CheckResult::pass(), kPassing) == 10s);
}

TEST_CASE("Schedule rests longer after every deadline broken in a row, up to startup_interval") {
  Schedule schedule(kPace, false);
  const auto timeout = CheckResult::fail(FailKind::timeout, "no answer");
  for (const Duration rest : {20ms, 40ms, 80ms, 160ms, 200ms, 200ms}) {
    CHECK(wait(schedule, timeout, kNeverPassed, 2s) == 2s + rest);
  }
  CHECK(wait(schedule, refused(), kNeverPassed, 2s) == 2s + 20ms);
  CHECK(wait(schedule, timeout, kNeverPassed, 2s) == 2s + 20ms);
  CHECK(wait(schedule, timeout, kFailing, 2s) == 10s);  // the interval is longer than any rest
}

TEST_CASE("Schedule rests after a slow attempt for a tenth of startup_interval, at least 10 ms") {
  Schedule schedule(kPace, false);
  CHECK(wait(schedule, refused(), kNeverPassed, 2s) == 2s + 20ms);
  Schedule hasty({10ms, 10ms, 0s}, false);
  CHECK(wait(hasty, refused(), kNeverPassed, 1s) == 1s + 10ms);
}

TEST_CASE("Schedule does not slow down for a refusal that locks no account") {
  Schedule schedule(kPace, false);
  const auto refusal = wrong_password();
  for (int i = 0; i < 8; ++i) {
    const Finished finished{kStart, kStart + 5ms, refusal, false, false};
    CHECK(schedule.next(finished, kNeverPassed, 0.0) - kStart == 200ms);
  }
  CHECK_FALSE(schedule.backing_off());
}

TEST_CASE("Schedule's jitter shortens the interval only, and by a tenth at most") {
  Schedule schedule(kPace, false);
  CHECK(wait(schedule, CheckResult::pass(), kPassing, 5ms, 0.5) == 9500ms);
  CHECK(wait(schedule, CheckResult::pass(), kPassing, 5ms, 0.999999) > 8999ms);
  CHECK(wait(schedule, refused(), kNeverPassed, 5ms, 0.9) == 200ms);
}

TEST_CASE("Schedule polls a check that fails after start-up at interval, unless it keeps clients out") {
  Schedule reported(kPace, false);
  CHECK(wait(reported, refused(), kFailing) == 10s);
  Schedule traffic(kPace, true);
  CHECK(wait(traffic, refused(), kFailing) == 200ms);
  CHECK(wait(traffic, refused(), kPassing) == 10s);  // suspect, not yet judged failing
}

TEST_CASE("Schedule asks ever more slowly with a refused login, up to 30 s, however short the interval") {
  for (const Pace pace : {kPace, Pace{100ms, 200ms, 0s}}) {
    Schedule schedule(pace, false);
    for (const Duration expected :
         {400ms, 800ms, 1600ms, 3200ms, 6400ms, 12800ms, 25600ms, 30000ms, 30000ms}) {
      CHECK(wait(schedule, wrong_password(), kNeverPassed) == expected);
    }
    CHECK(wait(schedule, refused(), kNeverPassed) == 200ms);
    CHECK(wait(schedule, wrong_password(), kNeverPassed) == 400ms);
  }
  Schedule was_passing(kPace, false);  // with its interval of 10 s
  for (int i = 0; i < 5; ++i) CHECK(wait(was_passing, wrong_password(), kPassing) == 10s);
  for (int i = 0; i < 5; ++i) CHECK(wait(was_passing, wrong_password(), kFailing) == 10s);
  CHECK(wait(was_passing, wrong_password(), kFailing) == 12800ms);
}

TEST_CASE("Schedule restarts a check that crashes ever more slowly, up to 30 s") {
  Schedule schedule({10ms, 10ms, 0s}, false);
  const auto crash = CheckResult::fail(FailKind::internal, "broken");
  CHECK(wait(schedule, crash, kNeverPassed, 0ms, 0.0, true) == 100ms);
  CHECK(wait(schedule, crash, kNeverPassed, 0ms, 0.0, true) == 200ms);
  for (int i = 0; i < 20; ++i) wait(schedule, crash, kNeverPassed, 0ms, 0.0, true);
  CHECK(wait(schedule, crash, kNeverPassed, 0ms, 0.0, true) == 30s);
  CHECK(wait(schedule, refused(), kNeverPassed, 0ms) == 10ms);
  CHECK(wait(schedule, crash, kNeverPassed, 0ms, 0.0, true) == 100ms);
}

TEST_CASE("Schedule asks within startup_interval after a refusal that the data plane saw") {
  CHECK(Schedule(kPace, true).after_refusal(kStart) - kStart == 20ms);
}

}  // namespace probegate::checks
