// Admission: what a request is asked, apart from the gate, before it may go to the backend. Pure.
#pragma once

#include <optional>

#include "proto/http_message.h"
#include "proxy/environment.h"
#include "proxy/refusal.h"

namespace probegate::proxy {

// The refusal of a request that the parser could not read.
Refusal refusal_of(const proto::HttpError& error);

// Limits, loops, origin, handshake, in this order: the first that objects. `surplus`: its connection is over
// limits.connections.
std::optional<Refusal> judge(const Environment& environment, const proto::RequestHead& request, bool surplus);

// RFC 9110 section 7.6.2: OPTIONS with Max-Forwards: 0 asks us, not the backend.
bool is_for_us(const proto::RequestHead& request);

}  // namespace probegate::proxy
