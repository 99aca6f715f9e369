// SessionAge: decides when a kept session is so old that the next attempt must log in again (`max_session`).
//
// This limits how late a check notices what only a new login shows: a changed password, a revoked right, a
// full server, a replaced certificate. The limit of each session is randomly shortened by up to 10 %, so that
// many instances do not log in together. Close the old session before the new one begins, because a server
// may allow only one. Thread: the check's own.
#pragma once

#include <optional>

#include "base/clock.h"

namespace probegate::checks {

class SessionAge {
 public:
  explicit SessionAge(Duration max_session) : max_session_(max_session) {}  // 0 = never

  void begin(TimePoint now);  // call it when the session is open
  bool over(TimePoint now) const { return ends_ && now >= *ends_; }

 private:
  const Duration max_session_;
  std::optional<TimePoint> ends_;
};

}  // namespace probegate::checks
