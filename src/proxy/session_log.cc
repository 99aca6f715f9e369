// What the session tells the log of its requests; the rest of Session is in session.cc.
#include "proxy/access_log.h"
#include "proxy/session.h"

namespace probegate::proxy {

AccessLog::Request Session::ended_request() const {
  AccessLog::Request request;
  request.peer = address_;
  request.trusted = trusted_;
  if (!head_seen_) return request;
  request.head = &parser_->request();
  request.took = Millis(environment_.loop.turn_ms() - began_ms_);
  if (forwarding_) {
    request.request_id = forwarding_->exchange.request_id();
  } else if (grant_ && !grant_->request_id.empty()) {
    request.request_id = grant_->request_id;
  } else {
    request.request_id = request.head->fields.get(proto::FieldName::request_id);
  }
  return request;
}

void Session::log_answer() {
  environment_.access->answered(ended_request(), forwarding_->exchange.status(), forwarding_->answer.bytes());
}

void Session::log_cut_off(std::string_view why) {
  environment_.access->cut_off(ended_request(), forwarding_->exchange.status(), forwarding_->answer.bytes(),
                               why);
}

// Once for each configuration: an app that redirects http to https behind it would do so for ever.
void Session::warn_of_front_end() {
  if (!environment_.share.is_first_front_end(environment_.config.get())) return;
  environment_.log.warn(
      address_ +
          " sends X-Forwarded-Proto: https but is not in proxy.forwarded.trust, so the backend "
          "sees http; list it there if TLS ends at it",
      {{"peer", address_}, {"key", "proxy.forwarded.trust"}});
}

// Nobody is there to be answered any more.
void Session::client_gone() {
  switch (state_) {
    case State::held: environment_.access->client_left(ended_request(), "held"); break;
    case State::asking: environment_.access->client_left(ended_request(), "asking auth"); break;
    case State::exchange:
      if (forwarding_->exchange.responding()) {
        environment_.access->client_left(ended_request(), "receiving the answer",
                                         forwarding_->exchange.status(), forwarding_->answer.bytes());
      } else {
        environment_.access->client_left(ended_request(), "waiting for the backend");
      }
      break;
    default: break;  // between two requests, or behind the last one
  }
  end();
}

}  // namespace probegate::proxy
