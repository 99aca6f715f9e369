// GateView: what the data loops know of the control loop's mind. Immutable; a new one is published on every
// change.
#pragma once

#include <string>
#include <vector>

#include "health/gate.h"

namespace probegate::proxy {

// How far the end of the process has come, as the data plane must act on it.
enum class DrainPhase {
  none,
  lame_duck,  // readiness fails already, traffic is still served (drain.delay)
  ending,     // listeners closed, new requests refused, tunnels are being closed (drain.timeout)
  cut,        // the budget is spent: whatever is left goes now
};

struct GateView {
  health::GateState state = health::GateState::starting;
  DrainPhase drain = DrainPhase::none;
  std::vector<std::string> waiting_for = {};  // names of the checks that hold the gate
  // A websocket check has `traffic`: the first connection the backend refuses closes the gate. Its name, or
  // empty.
  std::string traffic_check = {};

  bool auth_precheck_fails = false;  // the check that auth.precheck names

  bool open() const {
    return state == health::GateState::open || (state == health::GateState::draining && opened_before_drain);
  }
  bool opened_before_drain = false;  // draining began while the gate was open: lame duck still serves

  bool operator==(const GateView&) const = default;
};

}  // namespace probegate::proxy
