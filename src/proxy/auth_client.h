// AuthClient: asks the auth service whether a request may pass, for the sessions of one data loop.
//
// Decides at once if the service need not be asked (the breaker is open, the pre-check fails); otherwise it
// passes a question to the AuthWorker. Invariant: whatever the AuthWorker does, a question is decided within
// auth.timeout, because its session arms that deadline and calls on_timeout(). Counts and logs the decisions.
// Called from: Session and the data loop's Wakeup, on its thread.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <variant>

#include "health/circuit_breaker.h"
#include "proto/http_forward.h"
#include "proto/http_message.h"
#include "proxy/auth_worker.h"
#include "proxy/environment.h"
#include "proxy/refusal.h"

namespace probegate::proxy {

struct AuthDecision {
  bool passes = false;
  std::string fields = {};  // if it passes: complete header lines for the backend
  Refusal refusal = {};     // if it does not pass
};

class AuthQuestion;

class AuthClient {
 public:
  class Asker {
   public:
    virtual void auth_decided(
        AuthDecision decision) = 0;  // in a later turn; the question may be destroyed inside

   protected:
    ~Asker() = default;
  };
  using Asked = std::variant<AuthDecision, std::unique_ptr<AuthQuestion>>;

  AuthClient(Environment& environment, AuthWorker& auth_worker);

  bool applies_to(const proto::RequestHead& request) const;
  // `request` lives as long as the question.
  // `who`: the client, for the log.
  Asked ask(const proto::RequestHead& request, const proto::ClientView& client, std::string_view who,
            Asker& asker);

 private:
  friend class AuthQuestion;
  using Ticket = health::CircuitBreaker::Ticket;

  void take_replies();
  void forget(AuthQuestion& question);
  AuthDecision decide(AuthQuestion& question, AuthAnswer answer);
  AuthDecision unavailable(const config::Auth& auth, const proto::RequestHead& request,
                           std::string_view client, std::string detail);
  void conclude(AuthQuestion& question, const AuthAnswer& answer, Duration took);

  Environment& environment_;
  AuthWorker& auth_worker_;
  AuthReplies replies_;
  std::unordered_map<std::uint64_t, AuthQuestion*> questions_;
};

// A pending question. Destroying it withdraws it.
class AuthQuestion {
 public:
  ~AuthQuestion();
  AuthQuestion(const AuthQuestion&) = delete;
  AuthQuestion& operator=(const AuthQuestion&) = delete;

  Duration timeout() const { return config_->auth->timeout; }
  AuthDecision on_timeout();

 private:
  friend class AuthClient;
  AuthQuestion(AuthClient& auth_client, AuthClient::Asker& asker, const proto::RequestHead& request,
               std::string client);

  AuthClient& auth_client_;
  AuthClient::Asker& asker_;
  const proto::RequestHead& request_;
  const std::string client_;
  const std::shared_ptr<const config::Config> config_;  // as it was when the question was asked
  const TimePoint asked_at_;
  std::optional<AuthClient::Ticket> ticket_;  // of the breaker, until the outcome is reported to it
  std::uint64_t number_ = 0;                  // at the AuthWorker, until it is decided
};

}  // namespace probegate::proxy
