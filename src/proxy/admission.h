// Admission: decides whether a request may go to the backend, from its head and the state of this instance.
// Independent of the connection and the framing of the request. Pure.
//
// The order of these checks is documented behaviour: drain or gate, limits, origin, handshake, auth.
#pragma once

#include <string>
#include <variant>

#include "proto/http_message.h"
#include "proxy/environment.h"
#include "proxy/refusal.h"

namespace probegate::proxy {

// What is known of a request besides its head.
struct Visitor {
  bool surplus = false;  // its connection exceeds limits.connections
  bool granted = false;  // the auth service has allowed it
};

enum class Next {
  hold,            // wait for the gate
  answer_options,  // it is addressed to us, not to the backend
  ask_auth,
  forward,
};
using Admission = std::variant<Next, Refusal>;

// A new request.
Admission admit(const Environment& environment, const proto::RequestHead& request, const Visitor& visitor);
// The gate is open, now or after a hold.
Admission admit_through_gate(const Environment& environment, const proto::RequestHead& request,
                             const Visitor& visitor);
// The gate is closed.
Admission admit_to_hold(const Environment& environment, const proto::RequestHead& request,
                        const Visitor& visitor);

// The refusal of a request that could not be parsed.
Refusal refusal_of(const proto::HttpError& error);
Refusal refusal_as_draining();
// Names the checks that the gate waits for.
Refusal refusal_by_gate(const Environment& environment, metrics::Reason reason, std::string detail);
Refusal refusal_as_hold_full(const Environment& environment);

}  // namespace probegate::proxy
