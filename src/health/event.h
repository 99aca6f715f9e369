// Event: something noteworthy that happened. A value; made by the control loop, passed to the history, the
// log and the alerts.
//
// `message` and the text of `error` may hold addresses and table names, never secrets, which are removed at
// the source. Code that shows an event must obey `probes.details`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "health/check_result.h"

namespace probegate::health {

enum class EventKind {
  start,             // of this process; `message` describes the end of the previous one
  gate,              // the gate changed: `from`, `to`, and `waiting_for` unless it opened; paused and
                     // draining: `message` has by whom, `took` is for how long at most
  check,             // the judged status of a check changed: `from`, `to`, `error` when it fails or warns
  startup_timeout,   // gate.startup_timeout has passed: `waiting_for`
  backend_refused,   // the data plane could not reach the backend: `message`, `count`
  backend_restart,   // the backend has restarted
  frozen,            // this process was suspended for `took`
  stuck,             // data loops are blocked: `message` has their names; empty: all respond again
  reload,            // of the configuration: `to` is "applied" or "refused"
  backend_stopping,  // the backend closes its tunnels for a planned stop: `message`; `took` is how long
                     // alerts are held back for it
  auth_breaker,      // `to` is "open" or "closed", `message` why
  connection_limit,  // of the proxy port: `to` is "reached" or "left", `message` has the figures
  clock,             // the wall clock was set, or the monotonic one stopped: `took` is the jump, `message`
};
std::string_view to_string(EventKind kind);

struct Event {
  EventKind kind = EventKind::gate;
  WallTime wall{};         // when; of the first, where `count` is above 1
  Duration since_start{};  // of this process
  std::string check = {};
  std::string target = {};  // what that check connects to
  bool of_backend = false;  // it checks the backend, and the gate closes while it fails
  std::string from = {};
  std::string to = {};
  std::vector<std::string> waiting_for = {};  // names of checks
  std::optional<CheckError> error = {};
  std::string message = {};
  std::optional<Duration> took = {};  // check: its latency; gate opened: the time to the first opening
  std::uint64_t failures = 0;         // check: failed runs so far
  std::uint64_t count = 1;            // number of equal events in a row
};

// True if `second` is the same event again.
bool repeats(const Event& first, const Event& second);

}  // namespace probegate::health
