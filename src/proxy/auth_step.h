// AuthStep: the authorization of one request: first the pending question to the auth service, then the grant.
//
// Invariant: nothing of the request goes to the backend before the verdict; its owner keeps the deadline.
// Called from: the owner of the request. Thread: its data loop's.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "proxy/auth_client.h"
#include "proxy/request_stream.h"

namespace probegate::proxy {

class AuthStep final : private AuthClient::Asker {
 public:
  class Owner {
   public:
    virtual void auth_decided(AuthDecision decision) = 0;  // in a later turn, in the data loop's scope

   protected:
    ~Owner() = default;
  };

  AuthStep(Environment& environment, Owner& owner) : environment_(environment), owner_(owner) {}

  // Returns the decision if it is known at once. `request` must outlive this object; `who`: the client,
  // for the log.
  std::optional<AuthDecision> ask(const proto::RequestHead& request, proto::ClientView client,
                                  std::string_view who);
  Duration timeout() const { return question_->timeout(); }
  AuthDecision on_timeout() { return question_->on_timeout(); }
  void withdraw() { question_.reset(); }

  // The decision is valid for the rest of the request.
  void pass(AuthDecision decision) { grant_.fields = std::move(decision.fields); }
  const AuthGrant& grant() const { return grant_; }

 private:
  void auth_decided(AuthDecision decision) override { owner_.auth_decided(std::move(decision)); }

  Environment& environment_;
  Owner& owner_;
  std::unique_ptr<AuthQuestion> question_;
  AuthGrant grant_;
};

}  // namespace probegate::proxy
