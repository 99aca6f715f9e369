// The session's part of asking the auth service; the rest of Session is in session.cc.
#include "proxy/request_id.h"
#include "proxy/session.h"
#include "proxy/trust.h"

namespace probegate::proxy {

using metrics::Reason;

// Nothing has gone to the backend yet, and nothing does before the verdict; the body stays in the socket.
void Session::ask_auth() {
  const auto& request = parser_->request();
  grant_ = std::make_unique<AuthGrant>();
  if (request.fields.find(proto::FieldName::request_id) == nullptr)
    grant_->request_id = new_request_id(environment_.random);
  proto::ClientView client = client_view();
  client.request_id = grant_->request_id;
  const auto& trust = environment_.config->proxy.trust;
  const auto who = trusted_ ? client_behind(address_, request.fields, trust) : std::string_view(address_);
  AuthDesk::Asker& asker = *this;
  auto asked = environment_.auth->ask(request, client, who, asker);
  if (auto* decision = std::get_if<AuthDecision>(&asked)) return take_verdict(std::move(*decision));
  to(State::asking);
  client_.read_stop();
  question_ = std::move(std::get<std::unique_ptr<AuthQuestion>>(asked));
  deadline_.arm(question_->timeout());
}

void Session::auth_decided(AuthDecision decision) {
  environment_.loop.enter(this,
                          [&] { take_verdict(std::move(decision)); });  // it comes in the data loop's scope
}

void Session::take_verdict(AuthDecision decision) {
  question_.reset();
  if (!decision.passes) return refuse(decision.refusal);
  grant_->fields = std::move(decision.fields);
  // The gate may have closed while we asked. The verdict is good for the rest of this request's life, so that
  // its wait for auth stays within one auth.timeout.
  if (!environment_.gate->open()) return hold_or_refuse();
  begin_exchange();
}

}  // namespace probegate::proxy
