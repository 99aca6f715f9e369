// A log file of bounded size to which several processes append lines. A full file is renamed to FILE.1,
// which replaces an older FILE.1.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace probegate::client {

// Appends the whole `line`, or says why not. While another process holds the lock, waits with `pause` (false
// once there is no time left), and then writes without it: exceeding the size is better than losing a line.
Result<void> append_rotating(const std::string& file, const std::string& line, std::uint64_t most,
                             const std::function<bool(Duration)>& pause);

}  // namespace probegate::client
