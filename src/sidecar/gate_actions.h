// GateActions: what the commands drain, resume and pause do to the running process. Judges their parameters
// and answers with the state of the gate. Called from: the control loop.
#pragma once

#include "base/log.h"
#include "config/config.h"
#include "probe/action.h"
#include "sidecar/control.h"
#include "sidecar/shutdown.h"

namespace probegate::sidecar {

class GateActions {
 public:
  static constexpr Duration kPause = std::chrono::minutes(10);  // without `for`
  static constexpr Duration kLongestPause = std::chrono::hours(1);
  static constexpr std::size_t kBy = 64;  // bytes
  static constexpr std::size_t kMessage = 256;

  GateActions(Control& control, Shutdown& shutdown, Log& log)
      : control_(control), shutdown_(shutdown), log_(log) {}

  // 200 with the state; 400 for a wrong parameter; 409 if the process is in a state that does not allow it.
  // Repeating a drain or a resume changes nothing.
  probe::ActionOutcome drain(const probe::ActionParameters& parameters, const config::Drain& drain);
  probe::ActionOutcome resume(const probe::ActionParameters& parameters);
  probe::ActionOutcome pause(const probe::ActionParameters& parameters);

 private:
  probe::ActionOutcome state() const;

  Control& control_;
  Shutdown& shutdown_;
  Log& log_;
};

}  // namespace probegate::sidecar
