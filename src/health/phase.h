// Phase: the phases of a drain and of the shutdown. sidecar/shutdown.h changes it; the data loops see it in
// their GateView and compare it with >=, because what holds in a phase holds in later ones too.
#pragma once

#include <string_view>

namespace probegate::health {

enum class Phase {
  running,
  lame_duck,        // readiness fails already, traffic is still served (drain.delay)
  closing,          // new requests refused, tunnels are being closed (drain.timeout)
  cutting,          // drain.timeout has passed: what is left is closed now
  stopping_auth,    // the data loops have ended, so the auth loop is stopped
  flushing_alerts,  // the auth loop has ended; pending alerts are delivered
  recording,        // the control loop has ended; the cause is written to the state file
  done,
};
inline constexpr Phase kPhases[] = {Phase::running,   Phase::lame_duck,     Phase::closing,
                                    Phase::cutting,   Phase::stopping_auth, Phase::flushing_alerts,
                                    Phase::recording, Phase::done};
std::string_view to_string(Phase phase);  // for the log

}  // namespace probegate::health
