#include "proxy/auth_client.h"

#include "base/text.h"

namespace probegate::proxy {
namespace {

using namespace std::chrono_literals;
using health::CircuitBreaker;
using metrics::AuthResult;
using metrics::Reason;

// A timeout that is noticed this much later than the deadline is our own delay (a suspended process, a
// blocked loop), not a failure of the service.
constexpr Duration kSuspendThreshold = 500ms;

}  // namespace

AuthQuestion::AuthQuestion(AuthClient& auth_client, AuthClient::Asker& asker,
                           const proto::RequestHead& request, std::string client)
    : auth_client_(auth_client),
      asker_(asker),
      request_(request),
      client_(std::move(client)),
      config_(auth_client.environment_.config),
      asked_at_(auth_client.environment_.loop.now()) {}

AuthQuestion::~AuthQuestion() {
  if (ticket_) auth_client_.auth_worker_.breaker().withdrawn(*ticket_);
  if (number_ != 0) auth_client_.forget(*this);
}

AuthDecision AuthQuestion::on_timeout() {
  if (number_ != 0) auth_client_.forget(*this);
  AuthAnswer answer;
  answer.why = "no answer within " + format_duration(timeout());
  return auth_client_.decide(*this, std::move(answer));
}

AuthClient::AuthClient(Environment& environment, AuthWorker& auth_worker)
    : environment_(environment),
      auth_worker_(auth_worker),
      replies_(environment.loop, [this] { take_replies(); }) {}

bool AuthClient::applies_to(const proto::RequestHead& request) const {
  const auto& auth = environment_.config->auth;
  return auth && (auth->all_requests || request.upgrade_websocket);
}

AuthClient::Asked AuthClient::ask(const proto::RequestHead& request, const proto::ClientView& client,
                                  std::string_view who, Asker& asker) {
  const auto& auth = *environment_.config->auth;
  const auto spared = [&](std::string detail) {
    environment_.metrics.auth_prevented_seconds.add(auth.timeout);
    return unavailable(auth, request, who, std::move(detail));
  };
  if (auth.precheck && environment_.gate->auth_precheck_fails) {
    return spared("check " + *auth.precheck + " fails, so the auth service is not asked");
  }
  std::unique_ptr<AuthQuestion> question(new AuthQuestion(*this, asker, request, std::string(who)));
  question->ticket_ = auth_worker_.breaker().admit(question->asked_at_);
  if (!question->ticket_) return spared("the auth service has failed repeatedly and is not asked for now");

  const auto number = auth_worker_.ask(auth_request(auth, request, client),
                                       question->asked_at_ + auth.timeout, question->config_, replies_);
  if (!number) {
    return unavailable(auth, request, who, "too many requests wait for the auth service already");
  }
  question->number_ = *number;
  questions_.emplace(*number, question.get());
  return question;
}

void AuthClient::forget(AuthQuestion& question) {
  const auto number = std::exchange(question.number_, 0);
  questions_.erase(number);
  auth_worker_.withdraw(number);
}

void AuthClient::take_replies() {
  for (auto& reply : replies_.inbox.take_all()) {
    const auto found = questions_.find(reply.question);
    if (found == questions_.end()) continue;  // its session has ended or timed out
    AuthQuestion& question = *found->second;
    questions_.erase(found);
    question.number_ = 0;
    question.asker_.auth_decided(decide(question, std::move(reply.answer)));
  }
}

AuthDecision AuthClient::decide(AuthQuestion& question, AuthAnswer answer) {
  const Duration took = environment_.loop.now() - question.asked_at_;
  environment_.metrics.auth_duration.observe(took);
  conclude(question, answer, took);
  auto& results = environment_.metrics.auth_requests;
  switch (answer.kind) {
    case AuthAnswer::Kind::allowed:
      results[AuthResult::allowed].add();
      return {true, std::move(answer.fields)};
    case AuthAnswer::Kind::denied: {
      results[AuthResult::denied].add();
      Refusal refusal =
          Refusal::of(Reason::auth_denied, answer.status, "the auth service denied this request");
      refusal.relayed = {std::move(answer.fields), std::move(answer.body)};
      return {false, {}, std::move(refusal)};
    }
    case AuthAnswer::Kind::unavailable: break;
  }
  environment_.log.debug("the auth service gave no verdict", {{"why", answer.why}});
  return unavailable(*question.config_->auth, question.request_, question.client_,
                     "the auth service gave no verdict");
}

// Reports the outcome to the breaker. A denial counts as success: the service works.
void AuthClient::conclude(AuthQuestion& question, const AuthAnswer& answer, Duration took) {
  const auto ticket = std::exchange(question.ticket_, std::nullopt);
  if (!ticket) return;
  const auto& auth = *question.config_->auth;
  auto& breaker = auth_worker_.breaker();
  if (answer.kind != AuthAnswer::Kind::unavailable) {
    if (breaker.succeeded(*ticket) == CircuitBreaker::Change::closed) {
      environment_.log.info("auth breaker closed; the auth service answers again");
      environment_.host.auth_breaker_changed(false, {});
    }
  } else if (answer.ours || took > auth.timeout + kSuspendThreshold) {
    breaker.withdrawn(*ticket);
  } else if (breaker.failed(*ticket, {auth.breaker_failures, auth.breaker_recovery},
                            environment_.loop.now()) == CircuitBreaker::Change::opened) {
    environment_.log.warn("auth breaker open; the auth service is not asked until the next trial request",
                          {{"failures", auth.breaker_failures},
                           {"recovery", format_duration(auth.breaker_recovery)},
                           {"why", answer.why}});
    environment_.host.auth_breaker_changed(true, answer.why);
  }
}

AuthDecision AuthClient::unavailable(const config::Auth& auth, const proto::RequestHead& request,
                                     std::string_view client, std::string detail) {
  auto& results = environment_.metrics.auth_requests;
  if (carries_bypass(auth, request)) {
    results[AuthResult::bypassed].add();
    environment_.log.warn("auth bypassed", {{"client", client}, {"because", detail}});
    return {true};
  }
  results[AuthResult::unavailable].add();
  if (auth.allow_when_unavailable) return {true};
  return {false, {}, Refusal::of(Reason::auth_unavailable, std::move(detail))};
}

}  // namespace probegate::proxy
