// Exchange: one request and its answer, between the client's side of them, however it is framed, and one
// backend connection.
//
// Owns: the backend connection while it lasts and the parser of the answer. Invariant: bodies stream both
// ways, and reading of one side stops while the other side's queue is not empty; a request is sent twice only
// if it is a GET, HEAD or OPTIONS, the connection was a reused one, and not a byte of an answer had come. It
// ends with one outcome, which its owner takes between two calls; none of its calls destroys it. Called from:
// Session, ExchangeDriver.
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
  // What reaches an exchange from the backend's side and from the clock. It comes by way of its owner, who
  // passes it on to the functions of the same names and then looks at the outcome.
  class Events : public loop::StreamObserver, public loop::Deadline::Observer {
   public:
    virtual void on_backend(loop::Stream backend) = 0;  // a new connection
    virtual void on_no_backend(const BackendPool::Failure& failure) = 0;

   protected:
    ~Events() = default;
  };

  // The five endings.
  struct Answered {};  // the whole answer is written or queued
  // A Refusal: not a byte of an answer has been written.
  // The answer ends in its middle, and must be seen to.
  struct Broken {
    std::string why;
    bool client_stalled;  // it takes nothing
  };
  struct ClientLeft {};  // its connection turned out to be lost
  struct Upgraded {
    loop::Stream backend;
    std::string_view from_backend;  // behind its head; lives as long as the bytes of the event under way
    bool extensions;
  };
  using Outcome = std::variant<Answered, Refusal, Broken, ClientLeft, Upgraded>;

  // A body has to come at this rate at least, taken over timeouts.response: a byte now and then must not hold
  // a connection and the backend's for ever. Bytes a second.
  static constexpr double kSlowestBody = 240;

  Exchange(Environment& environment, const RequestContext& request, RequestBody& body, ResponseSink& sink,
           Events& events);
  ~Exchange();

  void start();
  Outcome* outcome() { return outcome_ ? &*outcome_ : nullptr; }

  // More of the request's body would be read now; otherwise its source lets it wait.
  bool wants_body() const;
  // More of it has come. Reads what it can pass on.
  void take_body();
  bool request_complete() const { return request_complete_; }

  // The drain's budget is spent: ends as refused or broken, so that the client cannot take half an answer for
  // whole.
  void cut();
  void client_drained();  // the client took everything: go on reading the answer
  bool upgrading() const { return upgrade_.has_value(); }

  // For the log.
  bool responding() const { return state_ == State::responding; }
  int status() const { return status_; }  // of the final answer, 0 before its head has come
  std::string_view request_id() const;

  // The owner's to pass on; nothing comes after an outcome.
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
  loop::Deadline continue_deadline_;    // the backend says nothing to Expect: 100-continue
  loop::Deadline keep_alive_deadline_;  // the backend's connection has become worth its keep-alive
  std::uint64_t started_ms_;
  std::uint64_t body_bytes_before_ = 0;  // of the request, when its deadline was armed
  int status_ = 0;
  std::string request_id_;  // ours, where the request brought none
  WallTime sent_at_{};      // on a reused connection
  bool reused_ = false;
  bool heard_ = false;  // a byte of an answer has come
  bool request_complete_ = false;
  bool backend_deaf_ = false;  // it takes no more of the request; an answer may still come
  bool continued_ = false;     // the client has been told 100 Continue
  bool unchunk_ = false;       // the client gets a chunked answer as plain bytes
  int informational_ = 0;
  std::optional<Outcome> outcome_;
};

}  // namespace probegate::proxy
