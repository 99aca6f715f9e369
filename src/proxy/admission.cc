#include "proxy/admission.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "proto/ws_handshake.h"
#include "proxy/auth_client.h"
#include "proxy/hold_queue.h"

namespace probegate::proxy {
namespace {

using metrics::Reason;

bool origin_allowed(const proto::RequestHead& request, const std::vector<std::string>& allowed) {
  const auto* origin = request.fields.find("origin");
  // Only browsers send Origin, and only browsers can be made to send a user's cookies to another site.
  if (origin == nullptr || allowed.empty()) return true;
  return request.fields.count("origin") == 1 &&
         std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& known) { return iequals(known, origin->value); });
}

// A backend may send a request back through its own proxy once on purpose; more than that is a loop.
constexpr int kMostVisits = 2;

// How often the request has passed the instance of this name. Via (RFC 9110 section 7.6.3) has
// "1.1 NAME (comment)", Probegate-Hop the name alone.
int visits(const proto::RequestHead& request, std::string_view name) {
  int count = 0;
  for (const auto& field : request.fields) {
    if (field.known != proto::FieldName::via && field.known != proto::FieldName::hop) continue;
    proto::ListReader list(field.value);
    for (std::string_view element; list.next(element);) {
      for (const auto word : split(element, ' ')) count += word == name ? 1 : 0;
    }
  }
  return count;
}

// Checks limits, loops, origin and handshake, in this order. Returns the first refusal.
std::optional<Refusal> judge(const Environment& environment, const proto::RequestHead& request,
                             bool surplus) {
  const config::Proxy& config = environment.config->proxy;
  if (surplus)
    return Refusal::of(Reason::connection_limit,
                       "connection limit reached: proxy.limits.connections, or less if the limit of open "
                       "files is low");
  if (config.websocket_only && !request.upgrade_websocket) {
    return Refusal::of(Reason::not_found, "only WebSocket upgrades are forwarded here");
  }
  const auto most = config.limits.body_bytes;
  if (most > 0 && request.content_length > most) {
    return Refusal::of(Reason::body_too_large, "the request's body is larger than limits.body_bytes");
  }
  if (request.passed_hops && visits(request, environment.share.all().instance()) >= kMostVisits) {
    return Refusal::of(Reason::loop_detected,
                       "this request has passed this instance twice: the backend sends it back to probegate");
  }
  if (!request.upgrade_websocket) return std::nullopt;
  if (!origin_allowed(request, config.websocket.origins)) {
    return Refusal::of(Reason::origin_denied, "this Origin is not in websocket.origins");
  }
  if (const auto wrong = proto::check_upgrade_request(request)) {
    return Refusal::of(Reason::bad_request, wrong->status, std::string(wrong->detail));
  }
  return std::nullopt;
}

// RFC 9110 section 7.6.2: OPTIONS with Max-Forwards: 0 is answered by the proxy, not by the backend.
bool is_for_us(const proto::RequestHead& request) {
  if (request.method != "OPTIONS") return false;
  const auto* field = request.fields.find(proto::FieldName::max_forwards);
  return field != nullptr && parse_decimal<std::uint32_t>(field->value) == 0u;
}

}  // namespace

Refusal refusal_of(const proto::HttpError& error) {
  Reason reason = Reason::bad_request;
  if (error.status == 414) reason = Reason::uri_too_long;
  if (error.status == 431) reason = Reason::header_too_large;
  return Refusal::of(reason, error.status, std::string(error.detail));
}

Refusal refusal_as_draining() { return Refusal::of(Reason::draining, "this instance is shutting down"); }

Refusal refusal_by_gate(const Environment& environment, Reason reason, std::string detail) {
  Refusal refusal = Refusal::of(reason, std::move(detail));
  refusal.waiting_for = environment.gate->waiting_for;
  return refusal;
}

Refusal refusal_as_closed(const Environment& environment) {
  return environment.gate->state == health::GateState::paused
             ? Refusal::of(Reason::paused, "the gate is paused by hand")
             : refusal_by_gate(environment, Reason::gate_closed, "the backend is not ready");
}

Refusal refusal_as_hold_full(const Environment& environment) {
  return refusal_by_gate(environment, Reason::hold_full,
                         "too many requests are waiting for the backend already");
}

// A request that meets an open gate does not queue behind those that are still being released: the hold
// limits the rate of the released requests only, not of later ones.
Admission admit(const Environment& environment, const proto::RequestHead& request, const Visitor& visitor) {
  if (environment.gate->phase >= health::Phase::closing) return refusal_as_draining();
  return environment.gate->open() ? admit_through_gate(environment, request, visitor)
                                  : admit_to_hold(environment, request, visitor);
}

Admission admit_through_gate(const Environment& environment, const proto::RequestHead& request,
                             const Visitor& visitor) {
  if (auto refusal = judge(environment, request, visitor.surplus)) return std::move(*refusal);
  if (is_for_us(request)) return Next::answer_options;
  if (!visitor.granted && environment.auth->applies_to(request)) return Next::ask_auth;
  return Next::forward;
}

// A request that would be refused anyway is refused at once, so that it takes no place in the hold.
Admission admit_to_hold(const Environment& environment, const proto::RequestHead& request,
                        const Visitor& visitor) {
  if (environment.config->proxy.hold.max == 0) return refusal_as_closed(environment);
  if (environment.held->full()) return refusal_as_hold_full(environment);
  if (auto refusal = judge(environment, request, visitor.surplus)) return std::move(*refusal);
  return Next::hold;
}

}  // namespace probegate::proxy
