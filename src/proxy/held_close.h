// HeldClose: the end of a backend that a client has not been told yet, because many clients would be told in
// the same moment. EndRush: finds such a moment outside of a drain.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace probegate::proxy {

struct HeldClose {
  std::string frame;       // the backend's Close; empty: it ended without one
  std::uint16_t code = 0;  // of that Close
  std::string reason = {};
};

// Per data loop. More than kMany ends of tunnels by the backend within kWindow are a rush: each further one
// is given its place in a spread, as long as it lasts.
class EndRush {
 public:
  static constexpr int kMany = 10;  // of all data loops together
  static constexpr std::uint64_t kWindowMs = 100;

  // One more tunnel ended by the backend, of `tunnels` on this loop. How long to hold its Close back; empty:
  // not at all.
  std::optional<Duration> delay_of_next(std::uint64_t now_ms, Duration spread, int loops,
                                        std::int64_t tunnels);

 private:
  std::uint64_t window_began_ms_ = 0;
  int in_window_ = 0;
  std::uint64_t rush_began_ms_ = 0;
  std::int64_t rush_tunnels_ = 0;  // that were open when it began; 0: no rush
  std::int64_t rush_place_ = 0;
};

}  // namespace probegate::proxy
