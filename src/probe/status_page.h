// The status page for people: a snapshot as one self-contained HTML document. Works without scripts; reloads
// itself.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "health/readiness_json.h"
#include "health/snapshot.h"

namespace probegate::probe {

// `now` and `wall` are the moment of the answer. Everything that came from outside is escaped.
std::string status_page(const health::Snapshot& snapshot, health::Details details, std::string_view version,
                        TimePoint now, WallTime wall);

}  // namespace probegate::probe
