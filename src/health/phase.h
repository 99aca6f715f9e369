// Phase: how far the end of the process has come. sidecar/shutdown.h moves it; the data loops see it in their
// GateView, and compare it, as everything of an earlier phase holds in a later one.
#pragma once

#include <string_view>

namespace probegate::health {

enum class Phase {
  running,
  paused,           // drained by a command: as in lame_duck, but the process stays and may be resumed
  lame_duck,        // readiness fails already, traffic is still served (drain.delay)
  closing,          // listeners closed, new requests refused, tunnels are being closed (drain.timeout)
  cutting,          // the budget is spent: whatever is left goes now
  stopping_auth,    // the data loops have ended, so nobody asks the auth loop any more
  flushing_alerts,  // it has ended as well; alerts under way are delivered
  recording,        // the control loop has ended; the state file learns why
  done,
};
inline constexpr Phase kPhases[] = {Phase::running,         Phase::paused,    Phase::lame_duck,
                                    Phase::closing,         Phase::cutting,   Phase::stopping_auth,
                                    Phase::flushing_alerts, Phase::recording, Phase::done};
std::string_view to_string(Phase phase);  // for the log

}  // namespace probegate::health
