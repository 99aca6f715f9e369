#include "proxy/session.h"

#include <algorithm>
#include <cassert>

#include "base/text.h"
#include "proto/ws_handshake.h"
#include "proxy/trust.h"

namespace probegate::proxy {
namespace {

using namespace std::chrono_literals;
using metrics::Reason;
using Event = proto::HttpParser::Event;

// How long, and for how many bytes, we read on after the last answer, so that a reset does not destroy it on
// its way (RFC 9112 section 9.6).
constexpr Duration kLinger = 2s;

proto::HttpLimits parser_limits(const config::ProxyLimits& limits) {
  proto::HttpLimits result;
  result.head_bytes = limits.header_bytes;
  return result;
}

bool is_failure_of_backend(Reason reason) {
  return reason == Reason::backend_unreachable || reason == Reason::backend_timeout ||
         reason == Reason::backend_error;
}

}  // namespace

Session::Session(Environment& environment, loop::Stream client, bool surplus)
    : environment_(environment),
      client_(std::move(client)),
      surplus_(surplus),
      parser_(std::in_place, proto::HttpParser::Role::request,
              parser_limits(environment.config->proxy.limits)),
      deadline_(environment.wheel, *this) {
  const loop::Address peer = client_.peer();
  if (!peer.is_unix()) address_ = peer.ip();
  trusted_ = in_networks(peer, environment.config->proxy.trust);
}

Session::~Session() { leave_hold(); }

void Session::start() {
  const loop::Loop::Scope scope(environment_.loop, this);
  client_.set_observer(*this);
  client_.read_start();
  deadline_.arm(environment_.timeouts().header);
}

void Session::to(State next) {
  assert(state_ != State::closed && "a closed session stays closed");
  if (state_ == State::held) leave_hold();
  state_ = next;
  switch (next) {
    case State::idle: deadline_.arm(environment_.timeouts().idle); break;
    case State::head: deadline_.arm(environment_.timeouts().header); break;
    case State::held: deadline_.arm(environment_.config->proxy.hold.timeout); break;
    case State::lingering: deadline_.arm(kLinger); break;
    case State::exchange:  // has deadlines of its own
    case State::tunnel:
    case State::closed: deadline_.disarm(); break;
  }
}

void Session::on_data(std::span<const char> bytes) {
  switch (state_) {
    case State::idle:
    case State::head: return read_heads(bytes);
    case State::exchange:
      if (exchange_->wants_body()) exchange_->take_body(bytes);
      if (state_ == State::exchange && !bytes.empty()) keep(bytes);
      return;
    case State::held: return keep(bytes);
    case State::lingering:
    case State::tunnel:  // the tunnel's own observer has the client by now
    case State::closed: return;
  }
}

void Session::keep(std::span<const char> bytes) {
  kept_.append(bytes.data(), bytes.size());
  client_.read_stop();
}

void Session::resume_client() {
  if (state_ != State::exchange) return;
  if (!kept_.empty()) {
    const std::string kept = std::exchange(kept_, {});
    on_data(kept);
  }
  const bool go_on = state_ == State::exchange && kept_.empty() && !client_ended_;
  if (go_on && !client_.reading()) client_.read_start();
}

void Session::read_heads(std::span<const char> bytes) {
  switch (parser_->feed(bytes)) {
    case Event::more:
      if (state_ == State::idle && !parser_->idle()) to(State::head);
      return;
    case Event::head: return begin_request(bytes);
    case Event::error: {
      const auto& error = parser_->error();
      Reason reason = Reason::bad_request;
      if (error.status == 414) reason = Reason::uri_too_long;
      if (error.status == 431) reason = Reason::header_too_large;
      return refuse(Refusal::of(reason, error.status, std::string(error.detail)));
    }
    case Event::body:
    case Event::done: assert(false && "no body before its head"); return;
  }
}

// The head is complete. CONTRACT order: drain or gate, limits, origin, handshake, auth.
void Session::begin_request(std::span<const char> rest) {
  head_seen_ = true;
  if (!rest.empty()) kept_.assign(rest.data(), rest.size());
  const auto& gate = *environment_.gate;
  if (gate.drain >= DrainPhase::ending) {
    return refuse(Refusal::of(Reason::draining, "this instance is shutting down"));
  }
  if (!gate.open()) {
    if (environment_.config->proxy.hold.max == 0) {
      Refusal refusal = Refusal::of(Reason::gate_closed, "the backend is not ready");
      refusal.waiting_for = gate.waiting_for;
      return refuse(refusal);
    }
    if (environment_.held->full()) {
      Refusal refusal =
          Refusal::of(Reason::hold_full, "too many requests are waiting for the backend already");
      refusal.waiting_for = gate.waiting_for;
      return refuse(refusal);
    }
    to(State::held);
    held_since_ms_ = environment_.loop.turn_ms();
    hold_place_ = environment_.held->join(*this);
    return;
  }
  forward();
}

std::optional<Refusal> Session::judge() const {
  const auto& config = environment_.config->proxy;
  const auto& request = parser_->request();
  if (surplus_) return Refusal::of(Reason::connection_limit, "more connections than limits.connections");
  if (config.websocket_only && !request.upgrade_websocket) {
    return Refusal::of(Reason::not_found, "only WebSocket upgrades are forwarded here");
  }
  if (config.limits.body_bytes > 0 && request.content_length > config.limits.body_bytes) {
    return Refusal::of(Reason::body_too_large, "the request's body is larger than limits.body_bytes");
  }
  if (!request.upgrade_websocket) return std::nullopt;
  const auto* origin = request.fields.find("origin");
  const auto& allowed = config.websocket.origins;
  if (origin != nullptr && !allowed.empty() &&
      std::none_of(allowed.begin(), allowed.end(),
                   [&](const auto& o) { return iequals(o, origin->value); })) {
    return Refusal::of(Reason::origin_denied, "this Origin is not in websocket.origins");
  }
  if (const auto wrong = proto::check_upgrade_request(request)) {
    return Refusal::of(Reason::bad_request, wrong->status, std::string(wrong->detail));
  }
  return std::nullopt;
}

void Session::forward() {
  if (const auto refusal = judge()) return refuse(*refusal);
  to(State::exchange);
  Exchange::Owner& owner = *this;
  exchange_ = std::make_unique<Exchange>(environment_, owner);
  exchange_->start();
}

void Session::release_from_hold() {
  environment_.metrics.hold_seconds.observe(Millis(environment_.loop.turn_ms() - held_since_ms_));
  forward();
  if (state_ == State::exchange) resume_client();
}

void Session::refuse_held(Refusal refusal) {
  environment_.metrics.hold_seconds.observe(Millis(environment_.loop.turn_ms() - held_since_ms_));
  refuse(refusal);
}

void Session::leave_hold() {
  if (!hold_place_) return;
  environment_.held->leave(*hold_place_);
  hold_place_.reset();
}

void Session::exchange_done(bool keep_alive) {
  ended_exchange_ = std::move(exchange_);
  if (!keep_alive || client_ended_ || environment_.gate->drain >= DrainPhase::ending) return linger();
  parser_->next_message();
  head_seen_ = false;
  to(State::idle);
  if (!kept_.empty()) {
    const std::string kept = std::exchange(kept_, {});
    read_heads(kept);
  }
  const bool reads = state_ == State::idle || state_ == State::head;
  if (reads && !client_.reading()) client_.read_start();
}

void Session::exchange_refused(Refusal refusal) {
  ended_exchange_ = std::move(exchange_);
  // The backend vanished and the gate closed over it: this request is one of those that may wait for it.
  const bool may_wait = refusal.reason == Reason::gate_closed && environment_.config->proxy.hold.max > 0 &&
                        parser_->in_body() == false && !environment_.held->full() && !client_ended_;
  if (refusal.reason == Reason::gate_closed) refusal.waiting_for = environment_.gate->waiting_for;
  if (may_wait) {
    to(State::held);
    held_since_ms_ = environment_.loop.turn_ms();
    hold_place_ = environment_.held->join(*this);
    return;
  }
  refuse(refusal);
}

void Session::exchange_broken(bool fin_would_lie) {
  ended_exchange_ = std::move(exchange_);
  if (!fin_would_lie) return linger();
  client_.reset();
  end();
}

void Session::exchange_upgraded(loop::Stream backend, std::string_view from_backend, bool extensions) {
  ended_exchange_ = std::move(exchange_);
  to(State::tunnel);
  const std::string from_client = std::exchange(kept_, {});
  Tunnel::Owner& owner = *this;
  tunnel_ = std::make_unique<Tunnel>(environment_, owner, std::move(backend), extensions);
  tunnel_->start(from_client, from_backend);
  if (state_ == State::tunnel && environment_.gate->drain >= DrainPhase::ending) close_tunnel_for_drain();
}

void Session::tunnel_ended() { end(); }

void Session::refuse(const Refusal& refusal) {
  auto& counts = environment_.metrics;
  counts.refused[refusal.reason].add();
  counts.requests.add(refusal.status);
  const bool head_only = head_seen_ && parser_->request().method == "HEAD";
  if (head_seen_ && parser_->request().upgrade_websocket) {
    counts
        .upgrades[is_failure_of_backend(refusal.reason) ? metrics::UpgradeResult::failed
                                                        : metrics::UpgradeResult::refused]
        .add();
  }
  environment_.log.debug("refused", {{"reason", metrics::to_string(refusal.reason)},
                                     {"status", refusal.status},
                                     {"detail", refusal.detail},
                                     {"client", address_}});
  if (!client_.write(write_refusal(refusal, head_only, static_cast<unsigned>(environment_.random())))) {
    return end();
  }
  linger();
}

// The last answer is on its way. Our FIN tells the client so; reading on keeps the kernel from answering
// bytes we never read with a reset that would destroy it.
void Session::linger() {
  if (client_ended_ && !client_.busy()) return end();
  to(State::lingering);
  kept_.clear();
  // A slow reader first gets what is queued; only then does the clock of the farewell run.
  if (client_.busy()) deadline_.arm(environment_.timeouts().idle);
  client_.half_close();
  if (!client_ended_ && !client_.reading()) client_.read_start();
}

void Session::on_end() {
  client_ended_ = true;
  switch (state_) {
    case State::exchange:
      // A client may end its sending side after a whole request and still wait for the answer.
      if (exchange_->request_complete() && !exchange_->upgrading()) {
        client_.read_stop();
        return;
      }
      return end();
    case State::lingering:
      if (client_.busy()) return;
      return end();
    default: return end();
  }
}

void Session::on_lost(int) { end(); }

void Session::on_drained() {
  if (state_ == State::exchange) return exchange_->client_drained();
  if (state_ != State::lingering) return;
  if (client_ended_) return end();
  deadline_.arm(kLinger);
}

void Session::on_deadline(loop::Deadline&) {
  switch (state_) {
    case State::head:
      return refuse(
          Refusal::of(Reason::header_timeout, "the request's head did not arrive within timeouts.header"));
    case State::held: {
      Refusal refusal =
          Refusal::of(Reason::hold_timeout, "the backend did not become ready within hold.timeout");
      refusal.waiting_for = environment_.gate->waiting_for;
      return refuse_held(std::move(refusal));
    }
    case State::tunnel: return close_tunnel_for_drain();
    default: return end();  // an idle connection's time is over, or the client has had time enough to read
  }
}

void Session::drain(Duration tunnel_delay) {
  if (state_ == State::idle) return linger();
  if (state_ != State::tunnel) return;  // the answer under way is the last one of its connection
  if (tunnel_delay <= Duration::zero()) return close_tunnel_for_drain();
  deadline_.arm(tunnel_delay);
}

void Session::close_tunnel_for_drain() {
  tunnel_->close(metrics::TunnelCause::drain,
                 static_cast<std::uint16_t>(environment_.config->drain.close_code),
                 "this instance is shutting down");
}

void Session::cut() {
  if (tunnel_) return tunnel_->cut();
  end();
}

void Session::on_exception(const std::string& what) noexcept {
  try {
    environment_.log.error("a session ended by an internal error", {{"what", what}, {"client", address_}});
  } catch (...) {
    // Nothing is left to tell it to; the session ends all the same.
  }
  end();
}

void Session::end() {
  if (state_ == State::closed) return;
  to(State::closed);
  exchange_.reset();
  client_.close();
  environment_.host.session_ended(*this);
}

}  // namespace probegate::proxy
