#include "checks/session_age.h"

#include <random>

namespace probegate::checks {

void SessionAge::begin(TimePoint now) {
  ends_.reset();
  if (max_session_ <= Duration::zero()) return;
  constexpr double kSpread = 0.1;
  std::random_device chance;
  const double share = 1.0 - kSpread * std::uniform_real_distribution<double>(0.0, 1.0)(chance);
  const std::chrono::duration<double, std::nano> limit(max_session_);
  ends_ = now + std::chrono::duration_cast<Duration>(limit * share);
}

}  // namespace probegate::checks
