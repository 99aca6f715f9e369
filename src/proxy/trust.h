// Is an address in one of the configured networks? Decides whose X-Forwarded-* is appended to.
#pragma once

#include <vector>

#include "config/config.h"
#include "loop/address.h"

namespace probegate::proxy {

bool in_networks(const loop::Address& address, const std::vector<config::Cidr>& networks);

}  // namespace probegate::proxy
