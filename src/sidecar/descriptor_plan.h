// How the descriptors of the process are shared out before there is any connection: what it needs for itself,
// and how many connections of the probe port are left beside traffic. Pure.
#pragma once

#include <cstdint>

#include "config/config.h"
#include "probe/probe_server.h"

namespace probegate::sidecar {

// With fewer the program does not start: those that are open all the time, and a few connections on each
// port.
std::uint64_t fewest_descriptors(const config::Config& config);

// `descriptors`: how many may be open. Beyond what is left of them the probe port's idle connections make
// room, so that the next probe has one.
probe::ProbeLimits probe_limits(const config::Config& config, std::uint64_t descriptors);

}  // namespace probegate::sidecar
