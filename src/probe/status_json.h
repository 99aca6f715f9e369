// /status for programs: the readiness document, extended by recent events and traffic. Pure. docs/probes.md
// describes it. Incompatible changes increase kStatusSchema.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "health/readiness_json.h"
#include "health/snapshot.h"
#include "probe/source.h"

namespace probegate::probe {

inline constexpr int kStatusSchema = 1;

// `now` and `wall`: the time of the answer, on both clocks.
std::string status_json(const health::Snapshot& snapshot, const Source& source, health::Details details,
                        std::string_view version, TimePoint now, WallTime wall);

}  // namespace probegate::probe
