// Decides whether a connection to one address reaches a socket that listens on another, with loopback,
// wildcards, and the names and interfaces of this machine. Sends no DNS queries.
#pragma once

#include "base/endpoint.h"
#include "config/problems.h"

namespace probegate::config {

// With Purpose::render, names and interfaces of this machine are ignored.
bool leads_to(const Endpoint& target, const Endpoint& listen, Purpose purpose);

}  // namespace probegate::config
