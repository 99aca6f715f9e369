// The status page for people: one self-contained HTML document that works without scripts. With scripts, the
// fragments from /events update its <main>.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "health/readiness_json.h"
#include "health/snapshot.h"
#include "probe/source.h"

namespace probegate::probe {

// What the page shows, at the time of the answer.
struct StatusView {
  const health::Snapshot& snapshot;
  const Source& source;
  health::Details details;
  std::string_view version;
  TimePoint now;
  WallTime wall;
};

// All texts from outside are escaped.
std::string status_page(const StatusView& view);
std::string status_fragment(const StatusView& view);  // the content of <main>

// Allows only the page's own style and script, by their hashes, so that no error text can load
// or run anything.
std::string_view page_security_policy();

}  // namespace probegate::probe
