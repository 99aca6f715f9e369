// What the session logs about its requests; the rest of Session is in session.cc.
#include "proxy/access_log.h"
#include "proxy/session.h"

namespace probegate::proxy {

EndedRequest Session::ended_request() const {
  EndedRequest request;
  request.peer = address_;
  request.trusted = trusted_;
  if (!head_seen_) return request;
  request.head = &parser_->request();
  request.took = Millis(environment_.loop.turn_ms() - began_ms_);
  if (forwarding_) {
    request.request_id = forwarding_->exchange.request_id();
    request.status = forwarding_->exchange.status();
    request.bytes = forwarding_->answer.bytes();
  } else if (auth_ && !auth_->grant().request_id.empty()) {
    request.request_id = auth_->grant().request_id;
  } else {
    request.request_id = request.head->fields.get(proto::FieldName::request_id);
  }
  return request;
}

// Logged once per configuration. Reason: a backend that redirects http to https would redirect for ever.
void Session::warn_of_front_end() {
  if (!environment_.share.is_first_front_end(environment_.config.get())) return;
  environment_.log.warn(
      address_ +
          " sends X-Forwarded-Proto: https but is not in proxy.forwarded.trust, so the backend "
          "sees http; add it there if it terminates TLS",
      {{"peer", address_}, {"key", "proxy.forwarded.trust"}});
}

}  // namespace probegate::proxy
