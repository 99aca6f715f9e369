// Session: one client connection, from accept to close.
//
// Owns: the client stream, the parser of its requests, and the current exchange or tunnel. Invariant:
// only to() changes the state. Every request gets one complete answer in bounded time: each state that
// waits has its deadline armed. Requests of one connection are answered in order, the next one only
// after the client has read the previous answer; meanwhile at most two read buffers of what follows are
// kept and reading stops. Called from: DataLoop, on its thread. Destroyed by DataLoop between two
// callbacks, after session_ended().
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "loop/deadline.h"
#include "loop/stream.h"
#include "proto/http_parser.h"
#include "proxy/access_log.h"
#include "proxy/admission.h"
#include "proxy/auth_step.h"
#include "proxy/environment.h"
#include "proxy/exchange.h"
#include "proxy/exchange_driver.h"
#include "proxy/hold_queue.h"
#include "proxy/http1_stream.h"
#include "proxy/refusal.h"
#include "proxy/tunnel.h"

namespace probegate::proxy {

class Session final : private loop::StreamObserver,
                      private loop::Deadline::Observer,
                      private AuthStep::Owner,
                      private ExchangeDriver::Owner,
                      private Tunnel::Owner,
                      public loop::ErrorSink {
 public:
  // Whether a connection may be closed when there are too many.
  enum class Standing : std::uint8_t {
    busy,     // no: it has a request in progress, or is a tunnel
    idle,     // yes: it waits for a further request
    silent,   // no: it is new, and its first request may be on its way
    surplus,  // yes, or its request is refused at once: like `silent`, but over limits.connections
    leaving,  // yes: its last answer is written
  };

  // `surplus`: over limits.connections; its first request is answered connection_limit.
  Session(Environment& environment, loop::Stream client, bool surplus);
  ~Session() override;

  void start();
  Standing standing() const;

  // By DataLoop: closes to make room. False if it cannot: a request waits in its socket, or the client is
  // still reading the last answer.
  bool give_way();

  // By HoldQueue.
  void release_from_hold();
  void refuse_held(const Refusal& refusal);

  // By DataLoop: phase `closing` begins. An idle connection ends with FIN, a tunnel gets its Close after
  // `tunnel_delay`, and a current answer is finished first.
  void drain(Duration tunnel_delay);
  void resume();  // the drain was ended before this tunnel's turn
  void cut();     // drain.timeout has passed

  bool tunnelling() const { return tunnel_ != nullptr; }
  std::list<std::unique_ptr<Session>>::iterator place;  // DataLoop's
  Standing row = Standing::busy;                        // DataLoop's: where `place` is

 private:
  enum class State : std::uint8_t {
    idle,      // no byte of a request yet
    head,      // in the middle of a head
    held,      // waits for the gate
    asking,    // waits for the auth service
    exchange,  // a request is being forwarded
    flushing,  // its answer is queued; the next request waits until the client has read it
    tunnel,
    lingering,  // the last answer is written; reads and discards until the client has read it
    closed,
  };
  // Time for the first request of a new connection that is to end, so that the client gets 503 and no reset.
  static constexpr Duration kLastChance = std::chrono::seconds(1);

  // A request that is being forwarded, and its answer.
  struct Forwarding {
    explicit Forwarding(Session& session);

    Http1Body body;
    Http1Answer answer;
    Exchange exchange;
  };
  static constexpr proto::MessageOptions kReading{.join_chunks = true};

  void to(State next);
  static bool may_follow(State from, State next);

  // StreamObserver, of the client
  void on_data(std::span<const char> bytes) override;
  void on_end() override;
  void on_lost(int status) override;
  void on_hang_up(loop::HangUp what) override;
  void on_drained() override;
  void on_deadline(loop::Deadline& deadline) override;

  // AuthStep::Owner
  void auth_decided(AuthDecision decision) override;
  void ask_auth();
  void take_verdict(AuthDecision decision);

  // ExchangeDriver::Owner
  void exchange_stepped() override;
  void conclude(Exchange::Outcome outcome);
  void answered();
  void refused(const Refusal& refusal);
  void broken(const Exchange::Broken& how);
  void upgraded(Exchange::Upgraded what);

  // Tunnel::Owner
  loop::Stream& client_stream() override { return client_; }
  const std::string& client_address() const override { return address_; }
  void tunnel_ended() override;

  void on_exception(const std::string& what) noexcept override;

  // session_log.cc
  EndedRequest ended_request() const;
  void warn_of_front_end();

  void read_heads(std::span<const char> bytes);
  void begin_request(std::span<const char> rest);
  void next_request();
  Visitor visitor() const { return {surplus_, auth_ != nullptr}; }
  void act_on(const Admission& admission);
  void hold();
  proto::ClientView client_view() const;
  void begin_exchange();
  void take_body(std::span<const char> bytes);
  void steer_reading();
  void keep(std::span<const char> bytes);
  bool may_be_half_closed() const;
  void client_gone();
  void refuse(const Refusal& refusal);
  std::string write_answer(const Refusal& refusal, bool head_only);
  void answer_options();
  void linger();
  void linger_on();
  void arm_linger();
  Duration longest_linger() const;
  void drop(std::span<const char> bytes);
  bool owes_body() const;
  void leave_hold();
  void on_timeout();
  void close_tunnel_for_drain();
  void end();

  Environment& environment_;
  loop::Stream client_;
  std::string address_;
  bool trusted_ = false;   // the peer's X-Forwarded-* is used
  bool internal_ = false;  // the peer is a hop whose address means nothing to the backend
  bool surplus_;
  bool client_ended_ = false;
  bool head_seen_ = false;  // parser_->request() is the current request
  bool was_held_ = false;   // that request was held, from held_after_ms_ after its begin
  bool served_ = false;     // an earlier request has been answered
  State state_ = State::idle;
  std::uint32_t held_after_ms_ = 0;
  ParserPool::Parser parser_;  // null in a tunnel, to save memory
  std::string kept_;           // bytes after the current request
  loop::Deadline deadline_;
  std::unique_ptr<AuthStep> auth_;  // of the current request; null if the auth service was not asked
  ExchangeDriver driver_;
  std::unique_ptr<Forwarding> forwarding_;
  std::unique_ptr<Tunnel> tunnel_;
  std::optional<HoldQueue::Place> hold_place_;
  std::uint64_t began_ms_ = 0;  // when accepted; then when the current head was complete; then the linger
  std::uint32_t dropped_ = 0;   // bytes discarded after the last answer, in the current linger interval
  std::uint32_t dropped_before_ = 0;  // in the interval before
};

}  // namespace probegate::proxy
