// /status for programs: the readiness document, and in the same object what happened lately and what goes
// through the proxy. Pure. docs/probes.md describes it; what changes in a way that breaks readers changes
// kStatusSchema.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "health/readiness_json.h"
#include "health/snapshot.h"
#include "probe/source.h"

namespace probegate::probe {

inline constexpr int kStatusSchema = 1;

// `now` and `wall` are the moment of the answer.
std::string status_json(const health::Snapshot& snapshot, const Source& source, health::Details details,
                        std::string_view version, TimePoint now, WallTime wall);

}  // namespace probegate::probe
