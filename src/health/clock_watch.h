// ClockWatch: notices that the wall clock was set, or that the monotonic clock stopped (a suspended machine):
// both change the difference between the two clocks abruptly. Pure.
#pragma once

#include <optional>

#include "base/clock.h"

namespace probegate::health {

class ClockWatch {
 public:
  static constexpr Duration kLeast =
      std::chrono::seconds(5);  // less may be a clock being slewed, or a late call

  // How far the wall clock has jumped ahead of the monotonic one since the last call (negative: behind), if
  // that is more than kLeast.
  std::optional<Duration> look(TimePoint now, WallTime wall) {
    const Duration offset = wall.time_since_epoch() - now.time_since_epoch();
    const auto before = offset_;
    if (!before) {
      offset_ = offset;
      return std::nullopt;
    }
    const Duration jump = offset - *before;
    offset_ = offset;
    if (jump <= kLeast && jump >= -kLeast) return std::nullopt;
    return jump;
  }

 private:
  std::optional<Duration> offset_;
};

}  // namespace probegate::health
