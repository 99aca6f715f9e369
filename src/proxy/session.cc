#include "proxy/session.h"

#include <cassert>

#include "proxy/admission.h"
#include "proxy/trust.h"

namespace probegate::proxy {
namespace {

using namespace std::chrono_literals;
using metrics::Reason;
using Event = proto::HttpParser::Event;

constexpr char kHoldTimeout[] = "the backend did not become ready within hold.timeout";

}  // namespace

Session::Session(Environment& environment, loop::Stream client, bool surplus)
    : environment_(environment),
      client_(std::move(client)),
      surplus_(surplus),
      parser_(
          environment.parsers.take(proto::HttpParser::Role::request, environment.head_limits(), kReading)),
      deadline_(environment.wheel, *this),
      driver_(*this) {
  const loop::Address peer = client_.peer();
  if (!peer.is_unix()) address_ = peer.ip();
  trusted_ = is_trusted(peer, environment.config->proxy.trust);
  internal_ = is_internal(peer);
}

Session::~Session() { leave_hold(); }

void Session::start() {
  const loop::Loop::Scope scope(environment_.loop, this);
  client_.set_observer(*this);
  client_.read_start();
  began_ms_ = environment_.loop.turn_ms();
  const bool last_chance = environment_.gate->phase >= health::Phase::closing;
  deadline_.arm(last_chance ? kLastChance : environment_.timeouts().header);
}

// The edges of the state machine. Any state may become `closed`; `lingering` follows the last answer.
bool Session::may_follow(State from, State next) {
  if (from == State::closed) return false;
  if (next == State::closed) return true;
  if (from == State::tunnel || from == State::lingering) return false;
  switch (next) {
    case State::idle: return from == State::exchange || from == State::flushing;
    case State::head: return from == State::idle;
    case State::held:
      return from == State::idle || from == State::head || from == State::asking || from == State::exchange;
    case State::asking: return from == State::idle || from == State::head || from == State::held;
    case State::exchange:
      return from == State::idle || from == State::head || from == State::held || from == State::asking;
    case State::flushing:
    case State::tunnel: return from == State::exchange;
    default: return true;
  }
}

void Session::to(State next) {
  assert(may_follow(state_, next));
  if (state_ == State::held) leave_hold();
  if (state_ == State::asking) auth_->withdraw();
  state_ = next;
  switch (next) {
    case State::idle: deadline_.arm(environment_.timeouts().idle); break;
    case State::head: deadline_.arm(environment_.timeouts().header); break;
    case State::flushing: deadline_.arm(environment_.timeouts().idle); break;
    case State::lingering:  // linger() arms the rest of the body's time
    case State::held:       // hold() arms the rest of hold.timeout
    case State::asking:     // ask_auth() arms auth.timeout
    case State::exchange:   // has deadlines of its own
    case State::tunnel:     // likewise
    case State::closed: deadline_.disarm(); break;
  }
  if (next != State::closed && standing() != row) environment_.host.session_moved(*this);
}

Session::Standing Session::standing() const {
  switch (state_) {
    case State::idle: return served_ ? Standing::idle : surplus_ ? Standing::surplus : Standing::silent;
    case State::head: return surplus_ && !served_ ? Standing::surplus : Standing::busy;
    case State::lingering: return Standing::leaving;
    default: return Standing::busy;
  }
}

void Session::on_data(std::span<const char> bytes) {
  switch (state_) {
    case State::idle:
    case State::head: return read_heads(bytes);
    case State::exchange: return take_body(bytes);
    case State::held:
    case State::asking:
    case State::flushing: return keep(bytes);
    case State::lingering: return drop(bytes);
    case State::tunnel:  // the tunnel observes the client itself
    case State::closed: return;
  }
}

void Session::keep(std::span<const char> bytes) {
  kept_.append(bytes.data(), bytes.size());
  client_.read_stop();
}

void Session::take_body(std::span<const char> bytes) {
  Exchange& exchange = forwarding_->exchange;
  if (!kept_.empty() || !exchange.wants_body()) return keep(bytes);
  forwarding_->body.offer(bytes);
  exchange.take_body();
  exchange_stepped();
}

// Reads only what the exchange wants; the rest stays in the socket.
void Session::steer_reading() {
  if (!kept_.empty() || !forwarding_->exchange.wants_body()) {
    client_.read_stop();
  } else if (!client_ended_ && !client_.reading()) {
    client_.read_start();
  }
}

void Session::read_heads(std::span<const char> bytes) {
  switch (parser_->feed(bytes)) {
    case Event::more:
      if (state_ == State::idle && !parser_->idle()) to(State::head);
      return;
    case Event::head: return begin_request(bytes);
    case Event::error: return refuse(refusal_of(parser_->error()));
    case Event::body:
    case Event::done: assert(false && "no body before its head"); return;
  }
}

void Session::begin_request(std::span<const char> rest) {
  head_seen_ = true;
  was_held_ = false;
  began_ms_ = environment_.loop.turn_ms();
  auth_.reset();
  if (!rest.empty()) kept_.assign(rest.data(), rest.size());
  if (!trusted_ && parser_->request().says_https) warn_of_front_end();
  environment_.host.refresh_gate();
  act_on(admit(environment_, parser_->request(), visitor()));
}

void Session::act_on(const Admission& admission) {
  if (const auto* refusal = std::get_if<Refusal>(&admission)) return refuse(*refusal);
  switch (std::get<Next>(admission)) {
    case Next::hold: return hold();
    case Next::answer_options: return answer_options();
    case Next::ask_auth: return ask_auth();
    case Next::forward: return begin_exchange();
  }
}

void Session::hold() {
  const auto& hold = environment_.config->proxy.hold;
  const auto age_ms = environment_.loop.turn_ms() - began_ms_;
  if (!std::exchange(was_held_, true)) held_after_ms_ = static_cast<std::uint32_t>(age_ms);
  // A gate that opens and closes again must not make a request wait for hold.timeout each time.
  const Duration left = hold.timeout - Millis(age_ms - held_after_ms_);
  if (hold.timeout > Duration::zero() && left <= Duration::zero())
    return refuse(refusal_by_gate(environment_, Reason::hold_timeout, kHoldTimeout));
  const auto joined = environment_.held->join(*this);
  if (!joined) return refuse(refusal_as_hold_full(environment_));
  to(State::held);
  client_.read_stop();
  hold_place_ = joined;
  deadline_.arm(left);
}

// The body stays in the socket.
void Session::ask_auth() {
  const auto& request = parser_->request();
  const auto& trust = environment_.config->proxy.trust;
  const auto who = trusted_ ? client_behind(address_, request.fields, trust) : std::string_view(address_);
  AuthStep::Owner& owner = *this;
  auth_ = std::make_unique<AuthStep>(environment_, owner);
  if (auto decision = auth_->ask(request, client_view(), who)) return take_verdict(std::move(*decision));
  to(State::asking);
  client_.read_stop();
  deadline_.arm(auth_->timeout());
}

void Session::auth_decided(AuthDecision decision) {
  environment_.loop.enter(this,
                          [&] { take_verdict(std::move(decision)); });  // called in the data loop's scope
}

void Session::take_verdict(AuthDecision decision) {
  auth_->withdraw();
  if (!decision.passes) return refuse(decision.refusal);
  auth_->pass(std::move(decision));
  // The gate may have closed meanwhile. The verdict stays valid for this request, so that its wait for auth
  // stays within one auth.timeout.
  if (environment_.gate->open()) return begin_exchange();
  act_on(admit_to_hold(environment_, parser_->request(), visitor()));
}

proto::ClientView Session::client_view() const {
  proto::ClientView view;
  view.trusted = trusted_;
  if (!trusted_ || !internal_) view.address = address_;
  return view;
}

Session::Forwarding::Forwarding(Session& session)
    : body(session.environment_, *session.parser_, session.kept_),
      answer(session.environment_, session.client_, session.parser_->request()),
      exchange(session.environment_,
               {session.parser_->request(), session.client_view(),
                session.auth_ ? &session.auth_->grant() : nullptr},
               body, answer, session.driver_) {}

void Session::begin_exchange() {
  to(State::exchange);
  forwarding_ = std::make_unique<Forwarding>(*this);
  driver_.drive(forwarding_->exchange);
  forwarding_->exchange.start();
  exchange_stepped();
}

// Called after every event of the exchange.
void Session::exchange_stepped() {
  auto& body = forwarding_->body;
  const std::string rest = body.has_rest() ? body.take_rest() : std::string();
  if (auto* outcome = forwarding_->exchange.outcome()) conclude(std::move(*outcome));
  if (state_ == State::lingering) return drop(rest);
  if (state_ != State::exchange) return;
  if (!rest.empty()) keep(rest);
  steer_reading();
}

void Session::conclude(Exchange::Outcome outcome) {
  if (std::holds_alternative<Exchange::Answered>(outcome)) return answered();
  if (std::holds_alternative<Exchange::ClientLeft>(outcome)) return client_gone();
  if (auto* refusal = std::get_if<Refusal>(&outcome)) return refused(*refusal);
  if (auto* how = std::get_if<Exchange::Broken>(&outcome)) return broken(*how);
  upgraded(std::move(std::get<Exchange::Upgraded>(outcome)));
}

void Session::release_from_hold() {
  environment_.loop.enter(
      this, [this] { act_on(admit_through_gate(environment_, parser_->request(), visitor())); });
}

void Session::refuse_held(const Refusal& refusal) {
  environment_.loop.enter(this, [&] { refuse(refusal); });
}

void Session::leave_hold() {
  if (!hold_place_) return;
  environment_.held->leave(*hold_place_);
  hold_place_.reset();
  environment_.metrics.hold_seconds.observe(Millis(environment_.loop.turn_ms() - began_ms_ - held_after_ms_));
}

void Session::answered() {
  if (environment_.access->tells_of(forwarding_->exchange.status())) {
    environment_.access->answered(ended_request());
  }
  const bool keep_alive = forwarding_->answer.keep_alive();
  forwarding_.reset();
  const bool more_may_come = !client_ended_ || !kept_.empty();
  if (!keep_alive || !more_may_come || environment_.gate->phase >= health::Phase::closing) return linger();
  parser_->next_message(kReading);
  head_seen_ = false;
  served_ = true;
  if (!client_.busy()) return next_request();
  to(State::flushing);
  client_.read_stop();
}

void Session::next_request() {
  to(State::idle);
  if (!kept_.empty()) {
    const std::string kept = std::exchange(kept_, {});
    read_heads(kept);
  }
  if (state_ != State::idle && state_ != State::head) return;
  if (client_ended_) return linger();
  if (!client_.reading()) client_.read_start();
}

void Session::refused(const Refusal& refusal) {
  // The backend is gone and the gate has closed before any byte of this request was sent, so the request
  // may be held.
  if (refusal.reason == Reason::gate_closed && !client_ended_) {
    forwarding_.reset();
    return act_on(admit_to_hold(environment_, parser_->request(), visitor()));
  }
  refuse(refusal);
}

// By reset if the answer ends with the connection, because a FIN would make it look complete, and if the
// client reads nothing, because it would not see a FIN.
void Session::broken(const Exchange::Broken& how) {
  environment_.access->cut_off(ended_request(), how.why);
  const bool by_reset = forwarding_->answer.until_close() || how.client_stalled;
  forwarding_.reset();
  if (!by_reset) return linger();
  client_.reset();
  end();
}

void Session::upgraded(Exchange::Upgraded what) {
  environment_.access->answered(ended_request());
  TunnelLogContext note = environment_.access->note(ended_request());
  forwarding_.reset();
  parser_.reset();
  auth_.reset();
  to(State::tunnel);
  const std::string from_client = std::exchange(kept_, {});
  Tunnel::Owner& owner = *this;
  tunnel_ = std::make_unique<Tunnel>(environment_, owner, std::move(what.backend), what.extensions,
                                     std::move(note));
  tunnel_->start(from_client, what.from_backend);
  if (state_ == State::tunnel && environment_.gate->phase >= health::Phase::closing) close_tunnel_for_drain();
}

void Session::tunnel_ended() { end(); }

void Session::on_drained() {
  if (state_ == State::exchange) return forwarding_->exchange.client_drained();
  if (state_ == State::flushing) return next_request();
  if (state_ != State::lingering) return;
  if (client_ended_) return end();
  arm_linger();
}

void Session::on_deadline(loop::Deadline&) {
  environment_.loop.enter(this, [this] { on_timeout(); });  // the deadline fires outside our error scope
}

void Session::on_timeout() {
  switch (state_) {
    case State::head:
      return refuse(
          Refusal::of(Reason::header_timeout, "the request's head did not arrive within timeouts.header"));
    case State::held: return refuse(refusal_by_gate(environment_, Reason::hold_timeout, kHoldTimeout));
    case State::asking: return take_verdict(auth_->on_timeout());
    case State::tunnel: return close_tunnel_for_drain();
    case State::lingering: return linger_on();
    default: return end();  // an idle connection timed out, or the client had enough time to read
  }
}

// Called after the stack is unwound: no call of the exchange or the tunnel is active.
void Session::on_exception(const std::string& what) noexcept {
  try {
    environment_.log.error("a session ended by an internal error", {{"what", what}, {"client", address_}});
  } catch (...) {
    // Cannot be logged; the session ends all the same.
  }
  tunnel_.reset();
  end();
}

void Session::end() {
  if (state_ == State::closed) return;
  to(State::closed);
  forwarding_.reset();
  client_.close();
  environment_.host.session_ended(*this);
}

}  // namespace probegate::proxy
