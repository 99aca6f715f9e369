// Snapshot: a copy of the control loop's state for the probe answers. Immutable once published.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "health/gate.h"
#include "health/health_model.h"

namespace probegate::health {

// Keeps the gate shut by hand.
struct Pause {
  std::string by;  // for people
  std::string message;
  WallTime since{};
  WallTime until{};
};

struct Drain {
  std::string by;  // for people
  WallTime since{};
  WallTime deadline{};
  bool serving = false;                  // drain.delay: new sessions are still let in
  std::optional<std::int64_t> cut = {};  // sessions that were left at the deadline
};

struct Snapshot {
  std::shared_ptr<const std::vector<CheckPolicy>> policies;  // shared by all snapshots of one configuration
  std::vector<CheckState> checks;
  std::vector<std::size_t> waiting_for;
  GateState gate = GateState::starting;
  StartupTimeoutPolicy on_startup_timeout = StartupTimeoutPolicy::fail;
  bool ever_opened = false;
  std::string stuck_loops = {};  // names of the data loops that have been blocked for 10 s
  TimePoint started{};
  std::optional<Duration> startup = {};  // process start to first open
  std::optional<Pause> pause = {};       // also below a drain
  std::optional<Drain> drain = {};

  bool readiness_passing() const;  // no check with `readiness` or `traffic` is failing
  bool ready() const;              // gate open and readiness_passing()
  bool startup_done() const { return ever_opened; }
  bool alive() const;  // no loop is blocked, and the startup has not failed under policy `fail`
  std::vector<std::string> waiting_names() const;
};

}  // namespace probegate::health
