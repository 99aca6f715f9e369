// StartupTimeoutPolicy: what follows when the gate has not opened within gate.startup_timeout.
#pragma once

namespace probegate {

enum class StartupTimeoutPolicy {
  fail,  // the gate stays closed, and liveness fails
  exit,  // the process ends
  wait,  // the gate opens whenever the checks pass
};

}  // namespace probegate
