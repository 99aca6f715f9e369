// AuthDesk: where the sessions of one data loop ask whether a request may pass.
//
// Decides at once where nobody needs to be asked (the breaker is open, the pre-check fails), and otherwise
// hands a question to the AuthLoop. Invariant: whatever the AuthLoop does, a question is decided within
// auth.timeout, because its session arms that deadline and calls time_is_over(). Counts and logs what was
// decided. Called from: Session and the data loop's Wakeup, on its thread.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <variant>

#include "health/circuit_breaker.h"
#include "proto/http_forward.h"
#include "proto/http_message.h"
#include "proxy/auth_loop.h"
#include "proxy/environment.h"
#include "proxy/refusal.h"

namespace probegate::proxy {

struct AuthDecision {
  bool passes = false;
  std::string fields = {};  // when it passes: complete lines for the backend
  Refusal refusal = {};     // when it does not
};

class AuthQuestion;

class AuthDesk {
 public:
  class Asker {
   public:
    virtual void auth_decided(
        AuthDecision decision) = 0;  // in a later turn; the question may be destroyed inside

   protected:
    ~Asker() = default;
  };
  using Asked = std::variant<AuthDecision, std::unique_ptr<AuthQuestion>>;

  AuthDesk(Environment& environment, AuthLoop& auth_loop);

  bool asks_about(const proto::RequestHead& request) const;
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
  AuthLoop& auth_loop_;
  AuthReplies replies_;
  std::unordered_map<std::uint64_t, AuthQuestion*> questions_;
};

// A question under way. Destroying it withdraws it.
class AuthQuestion {
 public:
  ~AuthQuestion();
  AuthQuestion(const AuthQuestion&) = delete;
  AuthQuestion& operator=(const AuthQuestion&) = delete;

  Duration timeout() const { return config_->auth->timeout; }
  AuthDecision time_is_over();

 private:
  friend class AuthDesk;
  AuthQuestion(AuthDesk& desk, AuthDesk::Asker& asker, const proto::RequestHead& request, std::string client);

  AuthDesk& desk_;
  AuthDesk::Asker& asker_;
  const proto::RequestHead& request_;
  const std::string client_;
  const std::shared_ptr<const config::Config> config_;  // as it was when the question was asked
  const TimePoint asked_at_;
  std::optional<AuthDesk::Ticket> ticket_;  // of the breaker, until it has been told how it ended
  std::uint64_t number_ = 0;                // with the AuthLoop, until it is decided
};

}  // namespace probegate::proxy
