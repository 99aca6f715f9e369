// How the process divides its descriptors: those it needs for itself, and the number of probe connections
// that remain beside traffic. Pure.
#pragma once

#include <cstdint>

#include "config/config.h"
#include "probe/probe_server.h"

namespace probegate::sidecar {

// The minimum to start: descriptors that are always open, and a few connections on each port.
std::uint64_t fewest_descriptors(const config::Config& config);

// `descriptors`: the limit of the process. At the limits returned, idle probe connections are closed, so that
// the next probe is accepted.
probe::ProbeLimits probe_limits(const config::Config& config, std::uint64_t descriptors);

}  // namespace probegate::sidecar
