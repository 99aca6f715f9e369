// Who holds a TCP port, for the error message of a failed start. Linux: read from /proc, nothing else is
// asked.
#pragma once

#include <optional>
#include <string>

#include "base/endpoint.h"

namespace probegate::loop {

// "pid 4711 (nginx)", or nothing when the holder cannot be seen (another user's process, another namespace).
std::optional<std::string> find_port_holder(const Endpoint& endpoint);

}  // namespace probegate::loop
