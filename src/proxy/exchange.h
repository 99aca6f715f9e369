// Exchange: one request and its answer, between the session's client and one backend connection.
//
// Owns: the backend connection while it lasts and the parser of the answer. The client stream and the
// request's parser are the session's. Invariant: bodies stream both ways, and reading of one side stops while
// the other side's queue is not empty; a request is sent twice only if it is a GET, HEAD or OPTIONS, the
// connection was a reused one, and not a byte of an answer had come. Called from: Session, its data loop.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "loop/deadline.h"
#include "loop/stream.h"
#include "proto/http_forward.h"
#include "proto/http_parser.h"
#include "proto/ws_handshake.h"
#include "proxy/backend_pool.h"
#include "proxy/environment.h"
#include "proxy/refusal.h"

namespace probegate::proxy {

// What the question to the auth service has settled for the request that it let pass.
struct AuthGrant {
  std::string request_id;  // made for the question, where the request brought none; the backend gets the same
  std::string fields;      // complete lines for the backend's head
};

class Exchange final : private loop::StreamObserver, private loop::Deadline::Observer {
 public:
  // The session's side. One of the five endings is called, once, as the very last thing an exchange does: it
  // is destroyed inside the call.
  class Owner {
   public:
    virtual loop::Stream& client_stream() = 0;
    virtual proto::HttpParser& request_parser() = 0;
    virtual proto::ClientView client_view() const = 0;  // without request id
    virtual const AuthGrant* auth_grant() const = 0;    // null when nobody was asked
    virtual void resume_client() = 0;                   // bytes of the request's body are wanted (again)

    virtual void exchange_done(bool keep_alive) = 0;     // the whole answer is written or queued
    virtual void exchange_refused(Refusal refusal) = 0;  // not a byte of an answer has been written
    // The answer ends in its middle, and must be seen to: with RST where FIN would say that it was whole.
    virtual void exchange_broken(bool by_reset, std::string_view why) = 0;
    virtual void exchange_left() = 0;  // by the client, whose connection turned out to be lost
    virtual void exchange_upgraded(loop::Stream backend, std::string_view from_backend, bool extensions) = 0;

   protected:
    ~Owner() = default;
  };

  // A body has to come at this rate at least, taken over timeouts.response: a byte now and then must not hold
  // a connection and the backend's for ever. Bytes a second.
  static constexpr double kSlowestBody = 240;

  Exchange(Environment& environment, Owner& owner);
  ~Exchange();

  void start();

  // Body bytes of the request may be given now; otherwise the session keeps them and stops reading.
  bool wants_body() const;
  // Consumes what belongs to the request's body. May end the exchange.
  void take_body(std::span<const char>& bytes);
  bool request_complete() const { return request_complete_; }

  // The drain's budget is spent: ends as refused or broken, so that the client cannot take half an answer for
  // whole.
  void cut();
  void client_drained();  // the client took everything: go on reading the answer
  bool upgrading() const { return upgrade_.has_value(); }

  // For the log.
  bool responding() const { return state_ == State::responding; }
  int status() const { return status_; }  // of the final answer, 0 before its head has come
  std::uint64_t answer_bytes() const { return answer_bytes_; }
  std::string_view request_id() const;

 private:
  enum class State { connecting, waiting, responding, ended };

  void connect();
  void send_head();
  void extend_for_body(bool fresh);
  void retry_or_fail(const std::string& what);
  bool may_repeat() const;
  bool answered_unasked() const;

  void on_data(std::span<const char> bytes) override;
  void on_end() override;
  void on_lost(int status) override;
  void on_drained() override;
  void on_deadline(loop::Deadline& deadline) override;

  bool take_response_head(std::string& head);
  bool take_informational();
  void upgraded(std::span<const char> rest);
  [[nodiscard]] bool to_client(std::string_view head, std::string_view piece);
  void finish(std::span<const char> rest);

  void refuse(Refusal refusal);
  void refuse(metrics::Reason reason, std::string detail) { refuse(Refusal::of(reason, std::move(detail))); }
  void break_off(std::string_view why, bool client_stalled = false);
  void leave();

  Environment& environment_;
  Owner& owner_;
  const proto::RequestHead& request_;
  const proto::MessageOptions reading_;  // of the answer
  State state_ = State::connecting;
  std::optional<proto::OfferedHandshake> upgrade_;
  std::unique_ptr<BackendConnect> connecting_;
  loop::Stream backend_;
  BackendPool::Lease lease_;    // of backend_
  ParserShelf::Parser parser_;  // of the answer
  proto::HttpParser& response_;
  loop::Deadline deadline_;
  loop::Deadline continue_deadline_;    // the backend says nothing to Expect: 100-continue
  loop::Deadline keep_alive_deadline_;  // the backend's connection has become worth its keep-alive
  std::uint64_t started_ms_;
  std::uint64_t body_bytes_before_ = 0;  // of the request, when its deadline was armed
  std::uint64_t answer_bytes_ = 0;
  int status_ = 0;
  std::string request_id_;  // ours, where the request brought none
  WallTime sent_at_{};      // on a reused connection
  bool reused_ = false;
  bool heard_ = false;  // a byte of an answer has come
  bool request_complete_ = false;
  bool backend_deaf_ = false;  // it takes no more of the request; an answer may still come
  bool continued_ = false;     // the client has been told 100 Continue
  bool keep_alive_ = false;
  bool unchunk_ = false;  // an HTTP/1.0 client gets a chunked answer as plain bytes
  int informational_ = 0;
};

}  // namespace probegate::proxy
