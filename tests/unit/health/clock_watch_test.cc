#include "health/clock_watch.h"

#include <catch2/catch.hpp>

namespace probegate::health {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{1000s};
const WallTime kWall{1'795'435'200s};

TEST_CASE("A wall clock that is set is noticed once, with the size and the direction of the jump") {
  ClockWatch watch;
  CHECK_FALSE(watch.look(kStart, kWall));
  CHECK_FALSE(watch.look(kStart + 1s, kWall + 1s));
  CHECK(watch.look(kStart + 2s, kWall + 2s + 2h) == Duration(2h));
  CHECK_FALSE(watch.look(kStart + 3s, kWall + 3s + 2h));
  CHECK(watch.look(kStart + 4s, kWall + 4s - 1h) == Duration(-3h));
  CHECK_FALSE(watch.look(kStart + 5s, kWall + 5s - 1h));
}

TEST_CASE("A clock that is slewed or read late is no jump") {
  ClockWatch watch;
  watch.look(kStart, kWall);
  CHECK_FALSE(watch.look(kStart + 1s, kWall + 6s));
  CHECK_FALSE(watch.look(kStart + 2s, kWall + 2s));
  CHECK_FALSE(watch.look(kStart + 60s, kWall + 60s));
  CHECK(watch.look(kStart + 61s, kWall + 67s));
}

}  // namespace
}  // namespace probegate::health
