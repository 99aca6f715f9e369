// Event: something that happened and is worth remembering. A value; made by the control loop, told to the
// history, the log and whoever alerts.
//
// `message` and what `error` says in words may hold addresses and table names, never secrets: those were
// removed where they came in. Who shows an event obeys `probes.details`.
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
  start,             // of this process; `message` says what is known of the one before
  gate,              // the gate changed: `from`, `to`, and `waiting_for` unless it opened
  check,             // the judged status of a check changed: `from`, `to`, `error` when it fails or warns
  startup_timeout,   // gate.startup_timeout has passed: `waiting_for`
  backend_refused,   // the data plane could not reach the backend: `message`, `count`
  backend_restart,   // it went away and came back
  frozen,            // this process stood still for `took`
  stuck,             // a data loop does not turn, or all turn again: `message`
  reload,            // of the configuration: `to` is "applied" or "refused"
  backend_stopping,  // it closes its tunnels because it ends, as planned: `message`; `took` is how long
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
  std::string target = {};  // what that check asks
  bool of_backend = false;  // it asks the backend, and the gate closes while it fails
  std::string from = {};
  std::string to = {};
  std::vector<std::string> waiting_for = {};  // names of checks
  std::optional<CheckError> error = {};
  std::string message = {};
  std::optional<Duration> took = {};  // check: its latency; gate opened: the time to the first opening
  std::uint64_t failures = 0;         // check: failed runs so far
  std::uint64_t count = 1;            // so many of the same in a row
};

// Whether the second adds nothing to the first but one more.
bool repeats(const Event& first, const Event& second);

}  // namespace probegate::health
