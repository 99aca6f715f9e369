// WaitingReminder: when to log again that the gate is still not open: after 10 s, and then at growing
// intervals, so that hours of waiting cause a few dozen lines. Pure.
#pragma once

#include <algorithm>
#include <optional>

#include "base/clock.h"

namespace probegate::health {

class WaitingReminder {
 public:
  static constexpr Duration kFirst = std::chrono::seconds(10);
  static constexpr Duration kRarest = std::chrono::minutes(10);

  // Returns the wait so far when a reminder is due. Call at least every second.
  std::optional<Duration> due(bool waiting, TimePoint now) {
    if (!waiting) {
      since_.reset();
      return std::nullopt;
    }
    if (!since_) {
      since_ = now;
      step_ = kFirst;
      next_ = now + step_;
    }
    if (now < next_) return std::nullopt;
    step_ = std::min(2 * step_, kRarest);
    next_ = now + step_;
    return now - *since_;
  }

 private:
  std::optional<TimePoint> since_;
  TimePoint next_{};
  Duration step_{};
};

}  // namespace probegate::health
