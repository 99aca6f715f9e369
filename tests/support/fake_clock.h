// FakeClock: time that moves only when a test says so.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace probegate {

class FakeClock : public Clock {
 public:
  TimePoint now() const override { return TimePoint(Duration(since_start_.load())); }
  WallTime wall_now() const override { return WallTime(kWallStart + Duration(since_start_.load())); }
  void advance(Duration by) { since_start_ += by.count(); }

 private:
  static constexpr Duration kWallStart = std::chrono::seconds(1'795'435'200);  // 2026-11-23T12:00:00Z

  std::atomic<Duration::rep> since_start_{Duration(std::chrono::hours(1)).count()};
};

}  // namespace probegate
