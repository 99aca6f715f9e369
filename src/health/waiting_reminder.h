// WaitingReminder: when to say again that the gate is still not open, for a log that is read in the middle of
// it: after 10 s, and then ever more rarely, so that hours of waiting are a few dozen lines. Pure.
#pragma once

#include <algorithm>
#include <optional>

#include "base/clock.h"

namespace probegate::health {

class WaitingReminder {
 public:
  static constexpr Duration kFirst = std::chrono::seconds(10);
  static constexpr Duration kRarest = std::chrono::minutes(10);

  // The wait so far, whenever it is time to tell it. To be asked again and again, at least every second.
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
