// The value of a Date field (RFC 9110 section 5.6.7), formatted at most once a second. Each thread
// uses its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace probegate {

class HttpDate {
 public:
  std::string_view at(WallTime wall) {
    const auto second = std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
    if (second != second_) format(second);
    return text_;
  }

 private:
  void format(std::int64_t second);

  std::string text_;
  std::int64_t second_ = -1;
};

}  // namespace probegate
