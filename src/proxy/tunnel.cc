#include "proxy/tunnel.h"

#include "base/text.h"

namespace probegate::proxy {
namespace {

using namespace std::chrono_literals;
namespace code = proto::close_code;

constexpr Duration kCloseReply = 2s;       // for the peer's Close after ours
constexpr Duration kHalfClosed = 30s;      // for the other direction after one FIN
constexpr Duration kAfterBothClosed = 2s;  // for the FINs after both Closes

// A Close without a code is answered by the code for a normal end.
std::uint16_t echo_of(std::uint16_t received) { return received == code::kNone ? code::kNormal : received; }

}  // namespace

Tunnel::Side::Side(Tunnel& t, metrics::Direction d, proto::Masking masking, bool extensions,
                   std::uint64_t max_message)
    : tunnel(t), direction(d), tracker(masking, extensions, max_message) {}

Tunnel::Tunnel(Environment& environment, Owner& owner, loop::Stream backend, bool extensions)
    : environment_(environment),
      owner_(owner),
      backend_stream_(std::move(backend)),
      client_(*this, metrics::Direction::client_to_backend, proto::Masking::required, extensions,
              environment.config->proxy.websocket.max_message),
      backend_(*this, metrics::Direction::backend_to_client, proto::Masking::forbidden, extensions,
               environment.config->proxy.websocket.max_message),
      end_deadline_(environment.wheel, *this),
      started_ms_(environment.loop.turn_ms()) {
  environment_.metrics.tunnels.add();
}

Tunnel::~Tunnel() { environment_.metrics.tunnels.subtract(); }

void Tunnel::start(std::string_view from_client, std::string_view from_backend) {
  loop::Stream& client = owner_.client_stream();
  client.set_observer(client_);
  backend_stream_.set_observer(backend_);
  if (!client.reading()) client.read_start();
  if (!backend_stream_.reading()) backend_stream_.read_start();
  // The 101 itself may still be queued towards the client.
  if (client.busy()) backend_stream_.read_stop();
  if (!from_backend.empty()) relay(backend_, from_backend);
  if (!from_client.empty() && !done_) relay(client_, from_client);
}

Duration Tunnel::age() const { return Millis(environment_.loop.turn_ms() - started_ms_); }

// The path of every message: walk the frame headers, hand the same bytes on, stop reading if the peer is
// slow.
void Tunnel::relay(Side& from, std::span<const char> bytes) {
  if (done_) return;
  Side& to = other(from);
  const bool was_closed = from.tracker.closed();
  const auto messages_before = from.tracker.messages();
  std::size_t walked = walk(from, bytes);

  auto& metrics = environment_.metrics;
  metrics.tunnel_messages[from.direction].add(from.tracker.messages() - messages_before);
  if (walked > 0 && !to.close_sent && !to.lost) {
    from.bytes += walked;
    metrics.tunnel_bytes[from.direction].add(walked);
    if (!stream(to).write({bytes.data(), walked})) return source_ended(to, UV_EPIPE);
    if (stream(to).busy()) stream(from).read_stop();
  }

  if (from.tracker.problem() != proto::FrameTracker::Problem::none) return violated(from);
  if (from.tracker.closed() && !was_closed) {
    to.close_sent = true;
    begin_end(is_client(from) ? Cause::client_close : Cause::backend_close, from.tracker.close_code(), "");
    // Both directions have had their Close: only the FINs are missing.
    if (from.close_sent) end_deadline_.arm(kAfterBothClosed);
  }
  offer_close(to);
  settle();
}

// How many of these bytes may go on. While a Close of ours waits for a boundary, not a byte beyond that
// boundary.
std::size_t Tunnel::walk(Side& from, std::span<const char> bytes) {
  if (from.tracker.closed()) return 0;
  if (other(from).close_due == 0) return from.tracker.walk(bytes);
  std::size_t walked = 0;
  while (walked < bytes.size() && !from.tracker.at_boundary()) {
    const std::size_t step = from.tracker.walk(bytes.subspan(walked, 1));
    if (step == 0) break;
    walked += step;
  }
  // What follows is not forwarded, but a Close in it is the reply we wait for.
  const std::size_t forward = walked;
  if (from.tracker.at_boundary() && walked < bytes.size()) from.tracker.walk(bytes.subspan(walked));
  return forward;
}

void Tunnel::violated(Side& by) {
  const bool too_big = by.tracker.problem() == proto::FrameTracker::Problem::too_big;
  begin_end(too_big ? Cause::max_message : Cause::protocol_error,
            too_big ? code::kTooBig : code::kProtocolError, by.tracker.problem_detail());
  by.ended = true;  // nothing it sends from here on means anything
  stream(by).read_stop();
  const std::uint16_t told_client = is_client(by) ? code::kProtocolError : code::kInternalError;
  close_both(too_big ? code::kTooBig : told_client, too_big ? code::kTooBig : code::kProtocolError);
}

void Tunnel::close(Cause cause, std::uint16_t close_code, std::string_view reason) {
  if (done_ || cause_) return;  // it is ending already; a peer's own Close goes untouched
  begin_end(cause, close_code, reason);
  close_both(close_code, close_code);
}

void Tunnel::cut() {
  begin_end(Cause::drain, code::kNone, "the drain's time was over");
  finish();
}

// The first cause is the cause; what follows from it does not overwrite it.
void Tunnel::begin_end(Cause cause, std::uint16_t close_code, std::string_view reason) {
  if (cause_) return;
  cause_ = cause;
  code_ = close_code;
  reason_ = reason;
  end_deadline_.arm(kHalfClosed);
}

void Tunnel::close_both(std::uint16_t to_client, std::uint16_t to_backend) {
  client_.close_due = to_client;
  backend_.close_due = to_backend;
  offer_close(client_);
  offer_close(backend_);
  end_deadline_.arm(kCloseReply);
  settle();
}

// A side sends no more: FIN (0) or loss (an error).
void Tunnel::source_ended(Side& from, int status) {
  if (done_) return;
  Side& to = other(from);
  from.ended = true;
  from.lost = from.lost || status < 0;
  stream(from).read_stop();
  if (!from.tracker.closed()) {
    begin_end(is_client(from) ? Cause::client_lost : Cause::backend_lost, code::kNone,
              status < 0 ? "connection lost" : "ended without Close");
    if (!is_client(from)) {
      // The client must be able to tell a restart of the backend from a broken network of its own. If it has
      // sent its Close already, this is the answer the backend owed it.
      client_.close_due =
          client_.tracker.closed() ? echo_of(client_.tracker.close_code()) : code::kServiceRestart;
      end_deadline_.arm(kCloseReply);
    }
  }
  offer_close(to);
  settle();
}

void Tunnel::drained(Side& to) {
  if (done_) return;
  Side& from = other(to);
  if (!from.ended && !stream(from).reading()) stream(from).read_start();
  settle();
}

// Puts the Close that is due between two frames of theirs. A direction that ended in the middle of a frame
// has no such place any more: that peer gets a plain FIN.
void Tunnel::offer_close(Side& to) {
  if (to.close_due == 0) return;
  const Side& from = other(to);
  if (to.close_sent || to.lost || (from.ended && !from.tracker.at_boundary())) {
    to.close_due = 0;
    to.close_sent = true;
  } else if (from.tracker.at_boundary()) {
    to.close_sent = true;
    const bool alive = stream(to).write(close_frame(to).view());
    if (!alive) to.lost = to.ended = true;
    to.close_due = 0;
  }
}

proto::ControlFrame Tunnel::close_frame(const Side& to) {
  if (is_client(to)) return proto::make_close(to.close_due, reason_);
  const auto random = environment_.random();
  return proto::make_close(
      to.close_due, reason_,
      {static_cast<unsigned char>(random), static_cast<unsigned char>(random >> 8),
       static_cast<unsigned char>(random >> 16), static_cast<unsigned char>(random >> 24)});
}

// Passes FINs on, and ends the tunnel once nothing more can come from either side.
void Tunnel::settle() {
  if (done_) return;
  // After both Closes the server ends TCP first: towards the client that is us, towards the backend it is the
  // backend.
  const bool client_told =
      client_.close_due == 0 && (backend_.ended || (client_.tracker.closed() && client_.close_sent));
  if (client_told) send_fin(client_);
  if (backend_.close_due == 0 && client_.ended) send_fin(backend_);
  const bool client_done = client_.ended && (client_.lost || !stream(client_).busy());
  const bool backend_done = backend_.ended && (backend_.lost || !stream(backend_).busy());
  if (client_done && backend_done) finish();
}

void Tunnel::send_fin(Side& to) {
  if (to.fin_sent || to.lost) return;
  to.fin_sent = true;
  stream(to).half_close();
}

void Tunnel::on_deadline(loop::Deadline&) { finish(); }

void Tunnel::finish() {
  if (done_) return;
  done_ = true;
  end_deadline_.disarm();
  report();
  backend_stream_.close();
  owner_.client_stream().close();
  owner_.tunnel_ended();
}

void Tunnel::report() const {
  const Cause cause = cause_.value_or(Cause::client_lost);
  environment_.metrics.tunnel_ends[cause].add();
  environment_.log.info("tunnel ended", {{"cause", metrics::to_string(cause)},
                                         {"close_code", static_cast<int>(code_)},
                                         {"reason", reason_},
                                         {"age_seconds", to_seconds(age())},
                                         {"client_to_backend_bytes", client_.bytes},
                                         {"client_to_backend_messages", client_.tracker.messages()},
                                         {"backend_to_client_bytes", backend_.bytes},
                                         {"backend_to_client_messages", backend_.tracker.messages()},
                                         {"gate", health::to_string(environment_.gate->state)}});
}

}  // namespace probegate::proxy
