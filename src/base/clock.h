// Time types and the Clock interface. Code that depends on time takes a TimePoint or a Clock&, so that
// tests control time.
#pragma once

#include <chrono>
#include <cstdint>

namespace probegate {

using Duration = std::chrono::nanoseconds;
using Millis = std::chrono::milliseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;  // monotonic
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;   // for people and logs only

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual WallTime wall_now() const = 0;
};

inline double to_seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
inline double to_millis(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

}  // namespace probegate
