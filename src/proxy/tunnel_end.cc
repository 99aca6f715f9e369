// How a tunnel ends. Whichever side begins, each side gets a Close, if it can be put between two frames, and
// then FIN. Every step has a time limit.
#include <algorithm>

#include "base/text.h"
#include "proxy/access_log.h"
#include "proxy/tunnel.h"

namespace probegate::proxy {
namespace {

using namespace std::chrono_literals;
namespace code = proto::close_code;

constexpr Duration kCloseReply = 2s;       // for the peers' Closes and FINs after ours
constexpr Duration kBoundary = 10s;        // for the current frame to end, so that our Close can be sent
constexpr Duration kOtherSide = 30s;       // for the other side to end as well, after a peer has ended
constexpr Duration kRest = 2s;             // for a slow side to read any of the bytes of an ended peer
constexpr std::uint16_t kAbnormal = 1006;  // in the log only: ended without any Close

// A Close without a code is answered with the code for a normal end.
std::uint16_t echo_of(std::uint16_t received) { return received == code::kNone ? code::kNormal : received; }

}  // namespace

void Tunnel::close(Cause cause, std::uint16_t close_code, std::string_view reason) {
  if (done_) return;
  if (held_ != nullptr) return release();
  if (ending()) {
    if (cause != Cause::drain) return;
    replies_due_ = true;
    if (client_.ended || backend_.ended) end_within(kRest);
    return await_replies();
  }
  begin_end(cause, "probegate", close_code, reason);
  if (rest_of_ != nullptr) end_within(kRest);
  close_both(close_code, close_code);
}

void Tunnel::cut() {
  begin_end(Cause::drain, "probegate", kAbnormal, "drain.timeout has passed");
  finish();
}

// Keeps the first cause; its consequences do not overwrite it.
void Tunnel::begin_end(Cause cause, const char* by, std::uint16_t close_code, std::string_view reason) {
  if (ending()) return;
  cause_ = judged(cause, close_code);
  ended_by_ = by;
  code_ = close_code;
  reason_ = reason;
  if (environment_.gate->phase >= health::Phase::closing) replies_due_ = true;
  end_within(kOtherSide);
}

// In a drain every end counts as `drain`, whichever side closes. A Close with 1001 or 1012 from the backend
// means a planned stop, and the lost tunnels that follow are no outage.
Tunnel::Cause Tunnel::judged(Cause cause, std::uint16_t close_code) {
  environment_.host.refresh_gate();  // the drain may have begun in this very turn
  const bool by_a_peer = cause == Cause::client_close || cause == Cause::backend_close ||
                         cause == Cause::client_lost || cause == Cause::backend_lost;
  if (by_a_peer && environment_.gate->phase != health::Phase::running) return Cause::drain;
  const bool goes_away = close_code == code::kGoingAway || close_code == code::kServiceRestart;
  if (cause == Cause::backend_close && goes_away) environment_.host.backend_stopping(close_code);
  return cause;
}

// Never extends an earlier deadline.
void Tunnel::end_within(Duration time) {
  const std::uint64_t by = now_ms() + static_cast<std::uint64_t>(std::chrono::ceil<Millis>(time).count());
  if (end_by_ms_ != 0 && end_by_ms_ <= by) return;
  end_by_ms_ = by;
  deadline_.arm(time);
}

// The Close of `from`, at the end of `bytes`, has been forwarded.
void Tunnel::passed_close(Side& from, std::span<const char> bytes) {
  other(from).close_sent = true;
  stream(from).want(loop::Stream::Wanted::end);  // data after a Close is ignored (RFC 6455 1.4)
  begin_end(is_client(from) ? Cause::client_close : Cause::backend_close, name(from),
            from.tracker.close_code(), from.tracker.close_reason(bytes));
  await_replies();
}

// True if the backend's end is to be held back: in a drain until the turn of this tunnel; in a rush, with the
// deadline armed, for close_spread. A Close of 1001 or 1012 and a loss mean that the backend stops too.
bool Tunnel::holds_back(std::uint16_t close_code) {
  if (ending() || client_.ended || client_.tracker.closed()) return false;
  environment_.host.refresh_gate();
  const auto phase = environment_.gate->phase;
  if (phase == health::Phase::running) {
    const auto& config = *environment_.config;
    const auto delay =
        environment_.rush.delay_of_next(now_ms(), config.proxy.websocket.close_spread, config.proxy.workers,
                                        environment_.metrics.tunnels.value());
    if (delay) deadline_.arm(*delay);
    return delay.has_value();
  }
  const bool stops =
      close_code == code::kGoingAway || close_code == code::kServiceRestart || close_code == kAbnormal;
  if (!stops || phase > health::Phase::closing) return false;
  deadline_.disarm();
  return true;
}

// The Close of the backend lies at the end of `walked`. Not if its beginning was forwarded already.
bool Tunnel::hold_close(std::span<const char> walked) {
  const auto& tracker = backend_.tracker;
  if (tracker.close_size() > walked.size() || !holds_back(tracker.close_code())) return false;
  const auto frame = walked.last(tracker.close_size());
  held_ = std::make_unique<HeldClose>(
      HeldClose{{frame.begin(), frame.end()}, tracker.close_code(), tracker.close_reason(walked)});
  judged(Cause::backend_close, tracker.close_code());
  stream(backend_).want(loop::Stream::Wanted::end);
  backend_.close_due = echo_of(tracker.close_code());  // so that it can end in time
  offer_close(backend_);
  return true;
}

// The turn of this tunnel has come, or its client sends something.
void Tunnel::release() {
  const auto held = std::exchange(held_, nullptr);
  if (held->frame.empty()) return backend_lost();
  begin_end(Cause::backend_close, name(backend_), held->code, held->reason);
  client_.close_sent = true;
  replies_due_ = true;
  if (!stream(client_).write(held->frame)) client_.lost = client_.ended = true;
  end_within(kBoundary);
  offer_closes();
  await_replies();
  advance_close();
}

// It sends no more, and has sent no Close. 1012 lets the client distinguish a restart of the backend from a
// network failure. If it has sent its Close already, it gets the reply that the backend did not send.
void Tunnel::backend_lost() {
  begin_end(Cause::backend_lost, name(backend_), kAbnormal, "ended without Close");
  client_.close_due =
      client_.tracker.closed() ? echo_of(client_.tracker.close_code()) : code::kServiceRestart;
  if (backend_.lost) {
    end_within(kBoundary);
    replies_due_ = true;
  }
  offer_closes();
  await_replies();
  advance_close();
}

void Tunnel::resume() {
  notice_due_ = false;
  backend_.tracker.stop_between_messages(false);
  if (held_ != nullptr && !done_) release();
}

void Tunnel::violated(Side& by) {
  const bool too_big = by.tracker.problem() == proto::FrameTracker::Problem::too_big;
  begin_end(too_big ? Cause::max_message : Cause::protocol_error, name(by),
            too_big ? code::kTooBig : code::kProtocolError, by.tracker.problem_detail());
  by.broken = true;
  if (too_big) return close_both(code::kTooBig, code::kTooBig);
  close_both(is_client(by) ? code::kProtocolError : code::kInternalError, code::kProtocolError);
}

// A side sends no more; if it is lost, it reads no more either.
void Tunnel::source_ended(Side& from, bool lost) {
  if (done_) return;
  if (held_ != nullptr && is_client(from)) release();
  if (done_) return;
  from.ended = true;
  if (rest_of_ == &from) rest_of_ = nullptr;
  stream(from).read_stop();
  if (lost) {
    from.lost = true;
    // Reads the other side until its end and discards it: a stopped stream would not report its FIN.
    Side& rest = other(from);
    if (!rest.ended && !stream(rest).reading()) stream(rest).read_start();
  }
  if (held_ != nullptr) return;
  if (!from.tracker.closed() && !is_client(from)) {
    if (!from.stuck() && holds_back(kAbnormal)) {
      held_ = std::make_unique<HeldClose>();
      return;
    }
    return backend_lost();
  }
  if (!from.tracker.closed()) begin_end(Cause::client_lost, name(from), kAbnormal, "ended without Close");
  if (lost) {
    end_within(kBoundary);
    replies_due_ = true;
  }
  offer_closes();
  await_replies();
  advance_close();
}

// A side hung up while it was not being read, because the other one is slow or has ended. Its unread bytes
// may contain a Close, so they are forwarded as long as the other side reads them. Those of a client whose
// connection is lost are dropped.
void Tunnel::hung_up(Side& from, loop::HangUp what) {
  if (done_) return;
  const bool lost = what == loop::HangUp::lost;
  if (lost && is_client(from)) {
    begin_end(Cause::client_lost, name(from), kAbnormal, "ended without Close");
    return finish();
  }
  if (from.ended || from.tracker.closed()) {
    if (!from.ended || what != loop::HangUp::end) source_ended(from, what != loop::HangUp::end);
    return;
  }
  if (ending()) return end_within(kRest);
  rest_of_ = &from;
  rest_taken_ = 0;
  rest_left_by_ms_ = now_ms();
  watch();
}

// True if the other side of `rest_of_` has read something since the last call; otherwise ends the tunnel.
bool Tunnel::rest_moves() {
  const Side& from = *rest_of_;
  loop::Stream& to = stream(other(from));
  const std::uint64_t untaken = to.is_open() ? to.untaken() : from.bytes;
  const std::uint64_t taken = from.bytes - std::min<std::uint64_t>(untaken, from.bytes) + 1;  // 0: first call
  if (taken > rest_taken_) {
    rest_taken_ = taken;
    rest_left_by_ms_ = now_ms() + static_cast<std::uint64_t>(kRest / Millis(1));
    return true;
  }
  begin_end(is_client(from) ? Cause::client_lost : Cause::backend_lost, name(from), kAbnormal,
            "connection ended, and the other side did not read the rest");
  finish();
  return false;
}

void Tunnel::close_both(std::uint16_t to_client, std::uint16_t to_backend) {
  client_.close_due = to_client;
  backend_.close_due = to_backend;
  end_within(kBoundary);
  offer_closes();
  advance_close();
}

void Tunnel::offer_closes() {
  if (client_.close_due == 0 && backend_.close_due == 0) return;
  offer_close(client_);
  offer_close(backend_);
  if (client_.close_due != 0 || backend_.close_due != 0) return;
  replies_due_ = true;
  await_replies();
}

// A slow reader first gets what is queued; the time for its reply starts after that.
void Tunnel::await_replies() {
  if (!replies_due_ || done_) return;
  const auto taken = [this](const Side& side) { return side.lost || !stream(side).busy(); };
  if (taken(client_) && taken(backend_)) end_within(kCloseReply);
}

// Sends the Close that is due, between two frames. If the direction ended within a frame, that peer gets
// only a FIN.
void Tunnel::offer_close(Side& to) {
  if (to.close_due == 0) return;
  const Side& from = other(to);
  if (to.close_sent || to.lost || to.fin_sent || from.stuck()) {
    to.close_due = 0;
    to.close_sent = true;
  } else if (from.tracker.at_boundary()) {
    const auto frame = is_client(to) ? proto::make_close(to.close_due, reason_)
                                     : proto::make_close(to.close_due, reason_, new_mask());
    to.close_due = 0;
    to.close_sent = true;
    if (!stream(to).write(frame.view())) to.lost = to.ended = true;
  }
}

// Passes FINs on, and ends the tunnel once nothing more can come from either side.
void Tunnel::advance_close() {
  if (done_ || held_ != nullptr) return;
  const auto closed_both_ways = [](const Side& side) {
    return side.close_sent && (side.tracker.closed() || side.broken);
  };
  // After both Closes the server closes TCP first: towards the client that is probegate, towards the backend
  // the backend, unless it has violated the protocol.
  const bool backend_has_said_all = backend_.ended || backend_.broken || closed_both_ways(client_);
  if (client_.close_due == 0 && backend_has_said_all) send_fin(client_);
  const bool backend_to_go = backend_.broken && backend_.close_sent;
  const bool client_to_go = client_.ended && !closed_both_ways(backend_);
  if (backend_.close_due == 0 && (client_to_go || backend_to_go)) send_fin(backend_);
  if (closed_both_ways(client_) && closed_both_ways(backend_)) end_within(kCloseReply);

  const bool client_done = client_.ended && (client_.lost || !stream(client_).busy());
  const bool backend_done = backend_.ended && (backend_.lost || !stream(backend_).busy());
  if (client_done && backend_done) finish();
}

// A client that has sent its Close sends nothing more (RFC 6455 section 5.5.1), so closing cannot cause a
// reset that destroys what was written to it. There is no need to wait for its FIN.
void Tunnel::send_fin(Side& to) {
  if (to.fin_sent || to.lost) return;
  to.fin_sent = true;
  if (is_client(to) && to.tracker.closed() && !stream(to).busy()) {
    to.ended = to.lost = true;
    return stream(to).close();
  }
  stream(to).half_close();
}

void Tunnel::finish() {
  if (done_) return;
  done_ = true;
  deadline_.disarm();
  report();
  backend_stream_.close();
  owner_.client_stream().close();
  owner_.tunnel_ended();
}

void Tunnel::report() {
  environment_.metrics.tunnels.subtract();
  environment_.metrics.tunnel_ends[*cause_].add();
  if (!environment_.log.enabled(LogLevel::info)) return;
  std::vector<LogField> fields{{"cause", metrics::to_string(*cause_)},
                               {"ended_by", ended_by_},
                               {"close_code", static_cast<int>(code_)},
                               {"reason", reason_},
                               {"client", note_.empty() ? owner_.client_address() : note_.client()},
                               {"age_seconds", to_seconds(Millis(now_ms() - started_ms_))},
                               {"client_to_backend_bytes", client_.bytes},
                               {"client_to_backend_messages", client_.messages},
                               {"backend_to_client_bytes", backend_.bytes},
                               {"backend_to_client_messages", backend_.messages},
                               {"gate", health::to_string(environment_.gate->state)}};
  std::string texts;
  environment_.access->add_note(note_, fields, texts);
  environment_.log.write(LogLevel::info, "tunnel ended", fields);
}

std::array<unsigned char, 4> Tunnel::new_mask() {
  const auto random = environment_.random();
  return {static_cast<unsigned char>(random), static_cast<unsigned char>(random >> 8),
          static_cast<unsigned char>(random >> 16), static_cast<unsigned char>(random >> 24)};
}

}  // namespace probegate::proxy
