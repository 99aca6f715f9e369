// A log of one line at a time that several processes write at once, bounded by a size: what is older goes to
// FILE.1, and what is older still goes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace probegate::client {

// Appends `line` whole, or says why not. While another process writes, waits with `pause` (which is false
// when there is no time left), and then writes all the same: a line too much is better than one too few.
Result<void> append_rotating(const std::string& file, const std::string& line, std::uint64_t most,
                             const std::function<bool(Duration)>& pause);

}  // namespace probegate::client
