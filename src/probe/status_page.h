// The status page for people: one self-contained HTML document that works without scripts. With them, its
// <main> is replaced, piece by piece, by the fragments that /events sends.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "health/readiness_json.h"
#include "health/snapshot.h"
#include "probe/source.h"

namespace probegate::probe {

// What the page is about, at the moment of the answer.
struct StatusView {
  const health::Snapshot& snapshot;
  const Source& source;
  health::Details details;
  std::string_view version;
  TimePoint now;
  WallTime wall;
};

// Everything that came from outside is escaped.
std::string status_page(const StatusView& view);
std::string status_fragment(const StatusView& view);  // the content of <main>

// The page's own style and script are named by their hashes: nothing else runs and nothing is loaded,
// whatever ends up in an error text.
std::string_view page_security_policy();

}  // namespace probegate::probe
