// Exchange: forwards one request over one backend connection and the answer back to the client, whatever the
// framing on the client's side.
//
// Owns: the backend connection and the parser of the answer. Invariant: bodies stream both ways, and
// reading of one side stops while the other side's queue is not empty; a request is sent a second time
// only if it is a GET, HEAD or OPTIONS, the connection was reused, and no byte of an answer had arrived.
// It ends with one outcome, which its owner takes between two calls; none of its calls destroys it. Called
// from: Session, ExchangeDriver.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "loop/deadline.h"
#include "loop/stream.h"
#include "proto/http_parser.h"
#include "proto/ws_handshake.h"
#include "proxy/backend_pool.h"
#include "proxy/environment.h"
#include "proxy/refusal.h"
#include "proxy/request_stream.h"

namespace probegate::proxy {

class Exchange final {
 public:
  // The events of an exchange, from the backend and from the clock. Its owner receives them, calls the
  // functions of the same names and then checks outcome().
  class Events : public loop::StreamObserver, public loop::Deadline::Observer {
   public:
    virtual void on_backend(loop::Stream backend) = 0;  // a new connection
    virtual void on_no_backend(const BackendPool::Failure& failure) = 0;

   protected:
    ~Events() = default;
  };

  // The five endings.
  struct Answered {};  // the whole answer is written or queued
  // A Refusal: no byte of an answer has been written.
  // The answer is cut off, and the client must be able to see that.
  struct Broken {
    std::string why;
    bool client_stalled;  // the client reads nothing
  };
  struct ClientLeft {};  // the client's connection is lost
  struct Upgraded {
    loop::Stream backend;
    std::string_view from_backend;  // bytes after the head; valid during the current event
    bool extensions;
  };
  using Outcome = std::variant<Answered, Refusal, Broken, ClientLeft, Upgraded>;

  // The minimum rate of a request body in bytes a second, averaged over timeouts.response. A slower body
  // would occupy two connections for ever.
  static constexpr double kSlowestBody = 240;

  Exchange(Environment& environment, const RequestContext& request, RequestBody& body, ResponseSink& sink,
           Events& events);
  ~Exchange();

  void start();
  Outcome* outcome() { return outcome_ ? &*outcome_ : nullptr; }

  // True if more of the request's body can be passed on now.
  bool wants_body() const;
  // More of the body has arrived. Reads what it can pass on.
  void take_body();
  bool request_complete() const { return request_complete_; }

  // drain.timeout has passed: ends as refused or broken, so that the client does not take a part of an answer
  // for the whole.
  void cut();
  void client_drained();  // the client has read everything: continues to read the answer
  bool upgrading() const { return upgrade_.has_value(); }

  // For the log.
  bool responding() const { return state_ == State::responding; }
  int status() const { return status_; }  // of the final answer; 0 before its head has arrived
  std::string_view request_id() const;

  // Events, passed on by the owner; none may follow an outcome.
  void on_backend(loop::Stream backend);
  void on_no_backend(const BackendPool::Failure& failure);
  void on_data(std::span<const char> bytes);
  void on_end();
  void on_lost(int status);
  void on_drained();
  void on_deadline(loop::Deadline& deadline);

 private:
  enum class State { connecting, waiting, responding, ended };

  void connect();
  void send_head();
  void extend_for_body(bool fresh);
  void retry_or_fail(const std::string& what);
  bool may_repeat() const;
  bool answered_unasked() const;

  void take_response_head();
  bool take_informational();
  void upgraded(std::span<const char> rest);
  [[nodiscard]] bool begin_answer(std::string_view first, std::string_view second);
  [[nodiscard]] bool pass_on(std::string_view piece);
  [[nodiscard]] bool passed_on(bool taken);
  void count_answer();
  void finish(std::span<const char> rest);

  void refuse(Refusal refusal);
  void refuse(metrics::Reason reason, std::string detail) { refuse(Refusal::of(reason, std::move(detail))); }
  void break_off(std::string why, bool client_stalled = false);
  void leave();
  void stop_clocks();

  Environment& environment_;
  Events& events_;
  const RequestContext context_;
  const proto::RequestHead& request_;
  RequestBody& body_;
  ResponseSink& sink_;
  const proto::MessageOptions reading_;  // of the answer
  State state_ = State::connecting;
  std::optional<proto::OfferedHandshake> upgrade_;
  std::unique_ptr<BackendConnect> connecting_;
  loop::Stream backend_;
  BackendPool::Lease lease_;   // of backend_
  ParserPool::Parser parser_;  // of the answer
  proto::HttpParser& response_;
  loop::Deadline deadline_;
  loop::Deadline continue_deadline_;    // the backend does not answer Expect: 100-continue
  loop::Deadline keep_alive_deadline_;  // the connection is old enough for TCP keep-alive
  std::uint64_t started_ms_;
  std::uint64_t body_bytes_before_ = 0;  // of the request, when its deadline was armed
  int status_ = 0;
  std::string request_id_;  // ours, if the request has none
  WallTime sent_at_{};      // on a reused connection
  bool reused_ = false;
  bool heard_ = false;  // a byte of an answer has arrived
  bool request_complete_ = false;
  bool backend_write_closed_ = false;  // it takes no more of the request; an answer may still come
  bool continued_ = false;             // 100 Continue has been sent to the client
  bool unchunk_ = false;               // the client gets a chunked answer as plain bytes
  int informational_ = 0;
  std::optional<Outcome> outcome_;
};

}  // namespace probegate::proxy
