// GateView: the part of the control loop's state that the data loops need. Immutable; a new one is published
// on every change.
#pragma once

#include <string>
#include <vector>

#include "health/gate.h"
#include "health/phase.h"

namespace probegate::proxy {

struct GateView {
  health::GateState state = health::GateState::starting;
  health::Phase phase = health::Phase::running;
  bool by_command = false;  // the drain: the process stays, so do the listeners, and it may be resumed
  std::vector<std::string> waiting_for = {};  // names of the checks that keep the gate closed
  // Name of the websocket check that affects traffic, or empty. With one, the first connection that the
  // backend refuses closes the gate.
  std::string traffic_check = {};

  bool auth_precheck_fails = false;  // the check that auth.precheck names

  bool open() const {
    return state == health::GateState::open || (state == health::GateState::draining && opened_before_drain);
  }
  bool opened_before_drain = false;  // the drain began while the gate was open: drain.delay still serves

  bool operator==(const GateView&) const = default;
};

}  // namespace probegate::proxy
