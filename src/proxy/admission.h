// Admission: what becomes of a request before it may go to the backend, judged by its head and by what this
// instance allows. Knows nothing of the connection that it came on, nor of how it was framed. Changes
// nothing.
//
// The order of the questions is a promise to users: drain or gate, limits, origin, handshake, auth.
#pragma once

#include <string>
#include <variant>

#include "proto/http_message.h"
#include "proxy/environment.h"
#include "proxy/refusal.h"

namespace probegate::proxy {

// What is known of a request besides its head.
struct Visitor {
  bool surplus = false;  // its connection is over limits.connections
  bool granted = false;  // the auth service has let it pass
};

enum class Next {
  hold,            // wait for the gate
  answer_options,  // it asks us, not the backend
  ask_auth,
  forward,
};
using Admission = std::variant<Next, Refusal>;

// It has just come.
Admission admit(const Environment& environment, const proto::RequestHead& request, const Visitor& visitor);
// The gate lets it pass, now or after it was held.
Admission admit_through_gate(const Environment& environment, const proto::RequestHead& request,
                             const Visitor& visitor);
// The gate is closed.
Admission admit_to_hold(const Environment& environment, const proto::RequestHead& request,
                        const Visitor& visitor);

// The refusal of a request that could not be read.
Refusal refusal_of(const proto::HttpError& error);
Refusal refusal_as_draining();
// Names what the gate waits for.
Refusal refusal_by_gate(const Environment& environment, metrics::Reason reason, std::string detail);
Refusal refusal_as_hold_full(const Environment& environment);

}  // namespace probegate::proxy
