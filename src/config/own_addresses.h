// Whether a connection to one address ends at a socket that listens on another: loopback, wildcards, the
// names and the interfaces of this machine. Nothing is asked of a name server.
#pragma once

#include "base/endpoint.h"
#include "config/problems.h"

namespace probegate::config {

// `purpose` elsewhere: names and interfaces of this machine say nothing.
bool leads_to(const Endpoint& target, const Endpoint& listen, Purpose purpose);

}  // namespace probegate::config
