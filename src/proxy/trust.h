// Which peers may name the client in X-Forwarded-* (forwarded.trust), and who the client is. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "config/config.h"
#include "loop/address.h"
#include "proto/http_message.h"

namespace probegate::proxy {

bool in_networks(const loop::Address& address, const std::vector<config::Cidr>& networks);

// True if X-Forwarded-* of this peer is kept and not replaced.
bool is_trusted(const loop::Address& peer, const config::Trust& trust);

// Loopback, a unix socket or link-local: a hop inside the machine or the platform, whose address is of no use
// to a backend.
bool is_internal(const loop::Address& peer);

// The last entry of a trusted peer's X-Forwarded-For that is not in `trust.networks`; the first entry if all
// of them are, and `peer` if there is none. Without port and brackets; unchanged if it is not an address.
// Views `peer` or the fields.
std::string_view client_behind(std::string_view peer, const proto::HeaderFields& fields,
                               const config::Trust& trust);

}  // namespace probegate::proxy
