// Finds the process that uses a TCP port, for the error message of a failed start. Linux only: reads /proc.
#pragma once

#include <optional>
#include <string>

#include "base/endpoint.h"

namespace probegate::loop {

// "pid 4711 (nginx)", or empty if the process is not visible (another user or namespace).
std::optional<std::string> find_port_holder(const Endpoint& endpoint);

}  // namespace probegate::loop
