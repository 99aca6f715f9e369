#include "health/waiting_reminder.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace probegate;
using namespace std::chrono_literals;
using health::WaitingReminder;

TEST_CASE("A wait is told after 10 s and then ever more rarely, at last every 10 minutes") {
  WaitingReminder reminder;
  const TimePoint start{1h};
  std::vector<Duration> told;
  for (Duration passed = 0s; passed <= 1h; passed += 1s) {
    if (const auto waited = reminder.due(true, start + passed)) told.push_back(*waited);
  }
  CHECK(told == std::vector<Duration>{10s, 30s, 70s, 150s, 310s, 630s, 1230s, 1830s, 2430s, 3030s});
}

TEST_CASE("A wait that ended is told no more, and the next one begins anew") {
  WaitingReminder reminder;
  const TimePoint start{1h};
  CHECK_FALSE(reminder.due(true, start));
  CHECK(reminder.due(true, start + 10s) == Duration(10s));
  CHECK_FALSE(reminder.due(false, start + 60s));
  CHECK_FALSE(reminder.due(true, start + 61s));
  CHECK_FALSE(reminder.due(true, start + 70s));
  CHECK(reminder.due(true, start + 71s) == Duration(10s));
}
