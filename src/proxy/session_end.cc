// How a client's connection ends: by the client, after the last answer, to make room for others, in a drain.
// The rest of Session is in session.cc.
#include <algorithm>

#include "proxy/admission.h"
#include "proxy/session.h"

namespace probegate::proxy {
namespace {

using namespace std::chrono_literals;
using metrics::Reason;
using Event = proto::HttpParser::Event;

// How long to keep reading after the last answer, so that a reset does not destroy it in transit (RFC 9112
// section 9.6), and the longest pause between two pieces of a body that is still arriving.
constexpr Duration kLinger = 2s;
constexpr Duration kBodyPause = 5s;
constexpr Duration kLongestLinger = 60s;  // if timeouts.response is off
constexpr char kTooMany[] = "more connections than proxy.limits.connections";

}  // namespace

// The last answer is on its way. Sends FIN and keeps reading: for unread bytes the kernel would send a reset,
// which could destroy the answer.
void Session::linger() {
  if (client_ended_ && !client_.busy()) return end();
  to(State::lingering);
  began_ms_ = environment_.loop.turn_ms();
  dropped_before_ = UINT32_MAX;  // no minimum for the interval before
  const std::string kept = std::exchange(kept_, {});
  drop(kept);
  // A slow reader first gets what is queued; the linger time starts after that.
  if (client_.busy()) {
    deadline_.arm(environment_.timeouts().idle);
  } else {
    arm_linger();
  }
  client_.half_close();
  if (!client_ended_ && !client_.reading()) client_.read_start();
}

// Discards bytes after the last answer, but parses the request's body to know where it ends.
void Session::drop(std::span<const char> bytes) {
  dropped_ += static_cast<std::uint32_t>(bytes.size());
  while (!bytes.empty() && parser_->in_body()) {
    if (parser_->feed(bytes) == Event::error) return;
  }
}

// After a parse error the end of the request is unknown, so it counts as incomplete.
bool Session::owes_body() const { return parser_->in_body() || !parser_->error().detail.empty(); }

// The longest wait for the next bytes of the client. Many clients read the answer only after they have sent
// their body, so the whole body may take as long as an answer may.
Duration Session::longest_linger() const {
  if (!owes_body()) return kLinger;
  const Duration response = environment_.timeouts().response;
  const Duration most = response > Duration::zero() ? response : kLongestLinger;
  return std::min(kBodyPause, most - Millis(environment_.loop.turn_ms() - began_ms_));
}

void Session::arm_linger() { deadline_.arm(std::max<Duration>(longest_linger(), 1s)); }

// The interval is over: goes on while the body arrives at the minimum rate, averaged over two intervals.
void Session::linger_on() {
  const Duration next = longest_linger();
  const double fewest = Exchange::kSlowestBody * to_seconds(2 * kBodyPause - Duration(1s));
  const bool comes = dropped_ > 0 && static_cast<double>(dropped_before_) + dropped_ >= fewest;
  if (client_.busy() || !comes || !owes_body() || next <= Duration::zero()) return end();
  dropped_before_ = std::exchange(dropped_, 0);
  deadline_.arm(next);
}

// For half_close: serve. A client that waits for a tunnel or owes the rest of its body counts as gone all the
// same; a held one too, to free its place.
bool Session::may_be_half_closed() const {
  if (!environment_.config->proxy.serve_half_closed) return false;
  switch (state_) {
    case State::exchange:
      return forwarding_->exchange.request_complete() && !forwarding_->exchange.upgrading();
    case State::asking:
      return !parser_->request().upgrade_websocket && parser_->request().body == proto::BodyKind::none;
    case State::flushing: return true;
    case State::lingering: return client_.busy();
    default: return false;
  }
}

void Session::on_end() {
  client_ended_ = true;
  if (!may_be_half_closed()) client_gone();
}

void Session::on_lost(int) { client_gone(); }

// The client hung up while it was not being read. With half_close: serve, a FIN is ignored until it is read,
// because a body or further requests may precede it.
void Session::on_hang_up(loop::HangUp what) {
  const bool may_be_behind = environment_.config->proxy.serve_half_closed && state_ != State::held;
  if (what != loop::HangUp::end || !may_be_behind) client_gone();
}

// The client cannot get an answer any more.
void Session::client_gone() {
  const auto left = [this](std::string_view meanwhile) {
    environment_.access->client_left(ended_request(), meanwhile);
  };
  switch (state_) {
    case State::held: left("held"); break;
    case State::asking: left("asking auth"); break;
    case State::exchange:
      left(forwarding_->exchange.responding() ? "receiving the answer" : "waiting for the backend");
      break;
    default: break;  // between two requests, or after the last one
  }
  end();
}

bool Session::give_way() {
  bool gives = false;
  environment_.loop.enter(this, [&] {
    const bool has_asked = served_ || state_ == State::lingering;
    const bool young = Millis(environment_.loop.turn_ms() - began_ms_) < kLastChance;
    if (client_.busy() || client_.readable() || (young && !has_asked)) return;
    if (state_ == State::lingering && owes_body()) return;
    if (state_ == State::head) refuse(Refusal::of(Reason::connection_limit, kTooMany));
    gives = !client_.busy();
    if (gives) end();
  });
  return gives;
}

void Session::drain(Duration tunnel_delay) {
  environment_.loop.enter(this, [&] {
    // A request that is already in the socket is read in this turn and answered.
    if (state_ == State::idle && client_.readable()) return;
    // A new connection may be about to send its request.
    if (state_ == State::idle && !served_) return deadline_.arm(kLastChance);
    if (state_ == State::idle || state_ == State::flushing) return linger();
    if (state_ == State::asking) return refuse(refusal_as_draining());
    if (state_ != State::tunnel) return;  // the current answer is the last one of the connection
    tunnel_->give_notice(tunnel_delay);
    if (state_ != State::tunnel) return;
    if (tunnel_delay <= Duration::zero() || tunnel_->ending()) return close_tunnel_for_drain();
    deadline_.arm(tunnel_delay);
  });
}

// The deadline of a tunnel is its turn in the drain.
void Session::resume() {
  environment_.loop.enter(this, [&] {
    if (state_ != State::tunnel) return;
    deadline_.disarm();
    tunnel_->resume();
  });
}

void Session::close_tunnel_for_drain() {
  tunnel_->close(metrics::TunnelCause::drain,
                 static_cast<std::uint16_t>(environment_.config->drain.close_code),
                 "this instance is shutting down");
}

void Session::cut() {
  environment_.loop.enter(this, [this] {
    if (state_ == State::tunnel) return tunnel_->cut();
    if (state_ == State::exchange) {
      forwarding_->exchange.cut();
      exchange_stepped();
    }
    end();
  });
}

}  // namespace probegate::proxy
