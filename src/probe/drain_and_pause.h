// What people see of a drain and of a pause by hand: in /status, in the answers to actions and on the page.
#pragma once

#include <cstdint>
#include <string>

#include "health/json_parts.h"
#include "health/snapshot.h"

namespace probegate::probe {

// Null without one. Under `details: summary` they tell neither who nor why.
health::Json pause_json(const health::Snapshot& snapshot, health::Details details);
health::Json drain_json(const health::Snapshot& snapshot, std::int64_t left, health::Details details);

// "paused by deploy until 2026-12-01T02:00:00.000Z: migration"; empty without one. Plain text.
std::string drain_or_pause_text(const health::Snapshot& snapshot, std::int64_t left, health::Details details);

}  // namespace probegate::probe
