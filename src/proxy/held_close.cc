#include "proxy/held_close.h"

#include <algorithm>

namespace probegate::proxy {

std::optional<Duration> EndRush::delay_of_next(std::uint64_t now_ms, Duration spread, int loops,
                                               std::int64_t tunnels) {
  if (spread <= Duration::zero()) return std::nullopt;
  const Duration since = Millis(now_ms - rush_began_ms_);
  if (rush_tunnels_ > 0 && since < spread) {
    const Duration place = spread * std::min(rush_place_++, rush_tunnels_) / rush_tunnels_;
    return place > since ? std::optional(place - since) : std::nullopt;
  }
  rush_tunnels_ = 0;
  if (now_ms - window_began_ms_ >= kWindowMs) {
    window_began_ms_ = now_ms;
    in_window_ = 0;
  }
  if (++in_window_ <= std::max(1, kMany / loops)) return std::nullopt;
  rush_began_ms_ = now_ms;
  rush_tunnels_ = std::max<std::int64_t>(tunnels, 1);
  rush_place_ = 1;
  return spread / rush_tunnels_;
}

}  // namespace probegate::proxy
