// Whose word on the client counts (forwarded.trust), and who the client is then. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "config/config.h"
#include "loop/address.h"
#include "proto/http_message.h"

namespace probegate::proxy {

bool in_networks(const loop::Address& address, const std::vector<config::Cidr>& networks);

// X-Forwarded-* of this peer is kept, and not replaced.
bool is_trusted(const loop::Address& peer, const config::Trust& trust);

// Loopback, a unix socket or link-local: a hop inside the machine or the platform, whose address says nothing
// to a backend.
bool is_internal(const loop::Address& peer);

// The last entry of a trusted peer's X-Forwarded-For that is not itself one of `trust.networks`; the first of
// all where each of them is, and `peer` where there is none. Without port and brackets; as it was sent where
// it is no address. Views `peer` or the fields.
std::string_view client_behind(std::string_view peer, const proto::HeaderFields& fields,
                               const config::Trust& trust);

}  // namespace probegate::proxy
