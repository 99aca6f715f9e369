// Refusals that browsers can show: a page instead of application/problem+json, and a Close instead of a
// failed handshake, whose status scripts never see. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/http_message.h"
#include "proxy/refusal.h"

namespace probegate::proxy {

// A page that loads nothing, tells nothing that `probes.details: summary` hides, and asks again by itself if
// it may be asked for again. `retry_after`: seconds, as in the header. `request_id`: from the client, or made
// for this refusal.
Relayed refusal_page(metrics::Reason reason, unsigned retry_after, std::string_view request_id,
                     bool repeatable);

// The Close code for an upgrade that is refused after it was accepted; its reason is that of the refusal.
// Empty for reasons that are always answered by HTTP.
std::optional<std::uint16_t> refusal_close_code(metrics::Reason reason);

// The 101 and the Close of such a refusal. A subprotocol that the client offers is accepted, because browsers
// otherwise report 1006.
std::string write_refusal_by_close(metrics::Reason reason, std::uint16_t code,
                                   const proto::RequestHead& upgrade, std::string_view date);

}  // namespace probegate::proxy
