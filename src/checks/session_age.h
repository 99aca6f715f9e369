// SessionAge: when a kept session is so old that the next attempt must log in anew (`max_session`).
//
// What only a new login sees, a changed password, a revoked right, a full server, a replaced certificate, is
// seen no later than that. The limit of each session is shortened by chance, by up to 10 %, so that many
// instances do not log in together. The old session is to be closed before the new one is begun, or a server
// that allows one would refuse the second. Thread: the check's own.
#pragma once

#include <optional>

#include "base/clock.h"

namespace probegate::checks {

class SessionAge {
 public:
  explicit SessionAge(Duration max_session) : max_session_(max_session) {}  // 0 = never

  void begin(TimePoint now);  // the session is there
  bool over(TimePoint now) const { return ends_ && now >= *ends_; }

 private:
  const Duration max_session_;
  std::optional<TimePoint> ends_;
};

}  // namespace probegate::checks
