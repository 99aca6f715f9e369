// Logs events. Only changes are logged; single attempts are in /status and in the metrics.
#pragma once

#include "base/log.h"
#include "health/event.h"
#include "health/snapshot.h"

namespace probegate::sidecar {

void log_event(Log& log, const health::Event& event);

// Logs that the gate is still not open after `waited`, and why.
void log_waiting(Log& log, const health::Snapshot& now, Duration waited);

}  // namespace probegate::sidecar
