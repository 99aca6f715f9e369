// The open tunnel: relaying and timeouts. How it ends is in tunnel_end.cc.
#include "proxy/tunnel.h"

#include <algorithm>

#include "base/text.h"
#include "proxy/backend_pool.h"

namespace probegate::proxy {
namespace {

namespace code = proto::close_code;

// From this payload size on, copying twice costs more than moving inside the kernel. kEnd bytes of it are
// read normally, by the call that also reads the next header.
constexpr std::uint64_t kWorthMoving = 64 * 1024;
constexpr std::uint64_t kEnd = 16 * 1024;

std::uint64_t millis(Duration d) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<Millis>(d).count());
}

// Spread, because clients that connected together would otherwise reconnect together.
std::uint64_t spread_lifetime(Duration lifetime, std::mt19937& random) {
  const std::uint64_t whole = millis(lifetime);
  return whole - whole * (random() % 1000) / 10'000;
}

}  // namespace

Tunnel::Side::Side(Tunnel& t, proto::Masking masking, bool extensions, std::uint64_t max_message)
    : tunnel(t), tracker(masking, extensions, max_message) {}

Tunnel::Tunnel(Environment& environment, Owner& owner, loop::Stream backend, bool extensions,
               TunnelLogContext note)
    : environment_(environment),
      config_(environment.config),
      owner_(owner),
      backend_stream_(std::move(backend)),
      client_(*this, proto::Masking::required, extensions, config_->proxy.websocket.max_message),
      backend_(*this, proto::Masking::forbidden, extensions, config_->proxy.websocket.max_message),
      deadline_(environment.wheel, *this),
      started_ms_(environment.loop.turn_ms()),
      last_frame_ms_(started_ms_),
      last_client_ms_(started_ms_),
      note_(std::move(note)) {
  environment_.metrics.tunnels.add();
}

Tunnel::~Tunnel() {
  if (!done_) environment_.metrics.tunnels.subtract();
}

void Tunnel::start(std::string_view from_client, std::string_view from_backend) {
  loop::Stream& client = owner_.client_stream();
  client.set_observer(client_);
  backend_stream_.set_observer(backend_);
  if (!client.reading()) client.read_start();
  if (!backend_stream_.reading()) backend_stream_.read_start();
  // The 101 itself may still be queued towards the client.
  if (client.busy()) backend_stream_.read_stop();

  const auto& policy = config_->proxy.websocket;
  if (policy.max_lifetime > Duration::zero()) {
    lifetime_ends_ms_ = now_ms() + spread_lifetime(policy.max_lifetime, environment_.random);
  }
  watch();
  if (!from_backend.empty()) relay(backend_, from_backend);
  if (!from_client.empty() && !done_) relay(client_, from_client);
}

// The path of every message: parses the frame headers, forwards the same bytes, and stops reading if the peer
// is slow. Stores only the time of this turn; watch() evaluates it later.
void Tunnel::relay(Side& from, std::span<const char> bytes) {
  if (done_) return;
  if (is_client(from)) {
    last_client_ms_ = now_ms();
    if (held_ != nullptr) {
      release();
      if (done_) return;
    }
    if (pong_filter_.chosen()) return relay_without_our_pongs(bytes);
  } else if (notice_due_) {
    return relay_around_notice(bytes);
  }
  pass(from, bytes);
}

// As pass(), for a backend while a notice waits for the end of its message.
void Tunnel::relay_around_notice(std::span<const char> bytes) {
  while (!bytes.empty() && !done_) {
    const std::size_t taken = pass(backend_, bytes);
    if (!done_) offer_notice();
    if (taken == 0) return;
    bytes = bytes.subspan(taken);
  }
}

// As pass(), for a client to which we sent a Ping: drops the Pong that answers it.
void Tunnel::relay_without_our_pongs(std::span<const char> bytes) {
  while (!bytes.empty() && !done_) {
    if (client_.tracker.at_boundary()) {
      const auto found = pong_filter_.take(bytes);
      if (found == PongFilter::Found::partly) return;
      if (found == PongFilter::Found::whole) {
        client_.tracker.walk(pong_filter_.kept());
        pong_filter_.forget();
        continue;
      }
      const auto kept = pong_filter_.kept();
      pong_filter_.forget();  // its bytes stay valid until the next take()
      if (!kept.empty()) {
        pass(client_, kept);
        continue;
      }
    }
    // Stops before the next Pong that is not the first frame of these bytes.
    const std::size_t taken = pass(client_, bytes);
    if (taken == 0) return;
    bytes = bytes.subspan(taken);
  }
}

// Returns how many bytes were handled, forwarded or not.
std::size_t Tunnel::pass(Side& from, std::span<const char> bytes) {
  if (from.broken) return bytes.size();
  Side& to = other(from);
  const bool was_closed = from.tracker.closed();
  const bool held_up = to.close_due != 0;  // bytes after the next boundary are dropped
  const auto messages_before = from.tracker.messages();
  const std::size_t walked = walk(from, bytes);
  last_frame_ms_ = now_ms();
  std::size_t passed = walked;
  bool close_to_pass = from.tracker.closed() && !was_closed;
  if (close_to_pass && !is_client(from) && hold_close(bytes.first(walked))) {
    passed -= held_->frame.size();
    close_to_pass = false;
  }

  if (passed > 0 && !to.close_sent && !to.lost) {
    const auto messages = from.tracker.messages() - messages_before;
    from.bytes += passed;
    from.messages += messages;
    auto& metrics = environment_.metrics;
    metrics.tunnel_messages[direction(from)].add(messages);
    metrics.tunnel_bytes[direction(from)].add(passed);
    if (!stream(to).write({bytes.data(), passed})) {
      source_ended(to, true);
      return bytes.size();
    }
    if (stream(to).busy()) stream(from).read_stop();
    if (from.tracker.payload_left() >= kWorthMoving) stream(from).want(loop::Stream::Wanted::moved);
  }

  if (held_up) listen(from, bytes.subspan(walked));
  if (from.tracker.problem() != proto::FrameTracker::Problem::none) {
    violated(from);
    return bytes.size();
  }
  if (close_to_pass) passed_close(from, bytes.first(walked));
  if (ping_due_ && !is_client(from)) offer_ping();
  if (ending() && !done_) {
    offer_closes();
    advance_close();
  }
  return held_up || from.tracker.closed() ? bytes.size() : walked;
}

// Moves the inner part of a long payload without reading it. False if the bytes must be read instead: at the
// end of a frame, so that only pass() handles frame boundaries, and if they are not forwarded.
bool Tunnel::move(Side& from) {
  Side& to = other(from);
  const std::uint64_t left = from.tracker.payload_left();
  if (from.broken || to.close_sent || to.lost || left < kWorthMoving) {
    stream(from).want(loop::Stream::Wanted::bytes);
    return false;
  }
  const auto moved = stream(from).move_to(stream(to), left - kEnd, environment_.pipes);
  if (moved.bytes > 0) {
    from.tracker.skip(moved.bytes);
    from.bytes += moved.bytes;
    environment_.metrics.tunnel_bytes[direction(from)].add(moved.bytes);
    last_frame_ms_ = now_ms();
    if (is_client(from)) last_client_ms_ = last_frame_ms_;
  }
  if (moved.broken) {
    source_ended(to, true);
  } else if (stream(to).busy()) {
    stream(from).read_stop();
  }
  return moved.possible;
}

// Returns how many of these bytes may be forwarded. If a Close of ours waits for a frame boundary, none
// after that boundary.
std::size_t Tunnel::walk(Side& from, std::span<const char> bytes) {
  if (from.tracker.closed()) return 0;
  if (other(from).close_due == 0) return from.tracker.walk(bytes);
  std::size_t forward = 0;
  while (forward < bytes.size() && !from.tracker.at_boundary()) {
    const std::size_t step = from.tracker.walk(bytes.subspan(forward, 1));
    if (step == 0) break;
    forward += step;
  }
  return forward;
}

// Parses bytes that are not forwarded, because they may contain the Close that we wait for.
void Tunnel::listen(Side& from, std::span<const char> bytes) {
  while (!bytes.empty() && from.tracker.at_boundary()) {
    const std::size_t step = from.tracker.walk(bytes);
    if (step == 0) return;
    bytes = bytes.subspan(step);
  }
}

void Tunnel::drained(Side& to) {
  if (done_) return;
  Side& from = other(to);
  if (!from.ended && !stream(from).reading()) stream(from).read_start();
  await_replies();
  advance_close();
}

void Tunnel::on_deadline(loop::Deadline&) {
  if (held_ != nullptr) {
    release();
  } else if (ending()) {
    finish();
  } else {
    watch();
  }
}

// Checks which timeouts have passed, and arms the deadline for the next one. Does not run per message.
void Tunnel::watch() {
  if (held_ != nullptr) return;
  const auto& policy = config_->proxy.websocket;
  const std::uint64_t now = now_ms();
  std::uint64_t next = UINT64_MAX;
  const auto over = [&](std::uint64_t due) {
    next = std::min(next, due);
    return now >= due;
  };
  if (!kept_alive_) {
    const auto due = started_ms_ + millis(BackendPool::kKeepAliveAfter);
    kept_alive_ = now >= due;
    if (kept_alive_) {
      backend_stream_.keep_alive();
    } else {
      next = due;
    }
  }
  if (rest_of_ != nullptr) {
    if (now >= rest_left_by_ms_ && !rest_moves()) return;
    over(rest_left_by_ms_);
  }
  if (lifetime_ends_ms_ != 0 && over(lifetime_ends_ms_)) {
    return close(Cause::max_lifetime, code::kGoingAway, "maximum lifetime reached");
  }
  if (policy.idle_timeout > Duration::zero() && over(last_frame_ms_ + millis(policy.idle_timeout))) {
    return close(Cause::idle_timeout, code::kGoingAway, "idle timeout");
  }
  if (policy.ping_interval > Duration::zero()) {
    const std::uint64_t interval = millis(policy.ping_interval);
    // Any byte counts as a sign of life: during a long frame a client cannot send a Pong.
    if (last_client_ms_ >= pinged_ms_) pinged_ms_ = 0;
    if (pinged_ms_ != 0) {
      if (over(pinged_ms_ + interval))
        return close(Cause::ping_timeout, code::kGoingAway, "no answer to a ping");
    } else if (now >= last_client_ms_ + interval) {
      ping_due_ = true;
      offer_ping();
      if (done_ || ending()) return;
      next = std::min(next, now + interval);
    } else {
      next = std::min(next, last_client_ms_ + interval);
    }
  }
  if (next != UINT64_MAX) deadline_.arm(Millis(next - now));
}

// Sends a Ping between two frames of the backend, at once or after the current frame.
void Tunnel::offer_ping() {
  if (client_.close_sent || client_.lost || ending() || held_ != nullptr) {
    ping_due_ = false;
    return;
  }
  if (!backend_.tracker.at_boundary()) return;
  if (!pong_filter_.chosen()) {
    pong_filter_.choose(static_cast<std::uint64_t>(environment_.random()) << 32 | environment_.random());
    client_.tracker.stop_before_pong(true);
  }
  ping_due_ = false;
  pinged_ms_ = now_ms();
  if (!stream(client_).write(proto::make_ping(pong_filter_.payload()).view())) source_ended(client_, true);
}

void Tunnel::give_notice(Duration until_close) {
  if (done_ || ending() || held_ != nullptr || !environment_.config->drain.notice) return;
  notice_turn_ms_ = now_ms() + millis(until_close);
  notice_due_ = true;
  backend_.tracker.stop_between_messages(true);
  offer_notice();
}

// Sends it at once or after the backend's current message.
void Tunnel::offer_notice() {
  if (!notice_due_) return;
  const auto& notice = environment_.config->drain.notice;
  const bool dropped =
      client_.close_sent || client_.close_due != 0 || client_.lost || held_ != nullptr || !notice;
  if (!dropped && !backend_.tracker.between_messages()) return;
  notice_due_ = false;
  backend_.tracker.stop_between_messages(false);
  if (dropped) return;
  const std::uint64_t left_ms = notice_turn_ms_ - std::min(notice_turn_ms_, now_ms());
  const auto text = replaced(*notice, "{seconds}", std::to_string((left_ms + 999) / 1000));
  if (!stream(client_).write(proto::make_server_text(text))) source_ended(client_, true);
}

}  // namespace probegate::proxy
