// Tunnel: a session after its 101. Relays frames both ways unchanged, and ends with a Close frame to both
// peers where possible.
//
// Owns: the backend stream and one frame tracker per direction; the client stream is the session's.
// Invariant: reading of one side stops while the other side's queue is not empty, so memory per tunnel is
// bounded by one read buffer per direction, or one lent pipe; no allocation and no timer call per message.
// A frame of ours is put only between two frames of theirs; after a Close, theirs or ours, nothing more is
// forwarded in that direction. The payload of a long frame, except its beginning and end, is moved from
// socket to socket inside the kernel. Two phases: until there is a cause to end, the one deadline serves
// idle_timeout, ping_interval and max_lifetime; after that it limits the closing. Between the two, the end of
// a backend may be held back from the client until its turn; it is passed on at once when the client sends
// anything, as nobody would read it. Called from: Session, its data loop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "loop/deadline.h"
#include "loop/stream.h"
#include "metrics/labels.h"
#include "proto/ws_frames.h"
#include "proxy/environment.h"
#include "proxy/held_close.h"
#include "proxy/pong_filter.h"
#include "proxy/tunnel_log_context.h"

namespace probegate::proxy {

class Tunnel final : private loop::Deadline::Observer {
 public:
  using Cause = metrics::TunnelCause;

  class Owner {
   public:
    virtual loop::Stream& client_stream() = 0;
    virtual const std::string& client_address() const = 0;
    // Both streams are closed; the tunnel is destroyed later, not inside this call.
    virtual void tunnel_ended() = 0;

   protected:
    ~Owner() = default;
  };

  // `extensions`: the handshake has negotiated some, so RSV bits are legal.
  Tunnel(Environment& environment, Owner& owner, loop::Stream backend, bool extensions,
         TunnelLogContext note);
  ~Tunnel();

  // Begins to relay, first the bytes that arrived with the two heads. May end the tunnel before it returns.
  void start(std::string_view from_client, std::string_view from_backend);

  // Ends the tunnel: sends Close with `code` to both at the next frame boundary and waits at most 2 s for the
  // replies. If it is ending already, the Close of a peer is passed on unchanged, and a drain limits the wait
  // for the reply to 2 s.
  void close(Cause cause, std::uint16_t code, std::string_view reason);
  // Sends drain.notice to the client between two messages, unless its Close comes first.
  void give_notice(Duration until_close);
  void resume();  // the drain was ended: no notice, and a Close that was held back is passed on
  void cut();     // closes both connections at once, without Close; drain.timeout has passed
  bool ending() const { return cause_.has_value(); }

 private:
  // One end of the tunnel and the direction of the bytes that come from it.
  struct Side final : public loop::StreamObserver {
    Side(Tunnel& t, proto::Masking masking, bool extensions, std::uint64_t max_message);
    void on_data(std::span<const char> piece) override { tunnel.relay(*this, piece); }
    bool on_movable() override { return tunnel.move(*this); }
    void on_end() override { tunnel.source_ended(*this, false); }
    void on_lost(int) override { tunnel.source_ended(*this, true); }
    void on_hang_up(loop::HangUp what) override { tunnel.hung_up(*this, what); }
    void on_drained() override { tunnel.drained(*this); }

    // True if this side ended within a frame, so no frame boundary will follow.
    bool stuck() const { return (ended || broken) && !tracker.at_boundary(); }

    Tunnel& tunnel;
    proto::FrameTracker tracker;
    std::uint64_t bytes = 0;  // forwarded
    std::uint64_t messages = 0;
    bool ended = false;           // sends no more: FIN or loss
    bool lost = false;            // takes no more either
    bool broken = false;          // broke the protocol: what it sends is read and dropped
    bool close_sent = false;      // a Close, theirs or ours, went to this side; nothing may follow it
    bool fin_sent = false;        // and not even that
    std::uint16_t close_due = 0;  // code of a Close of ours that waits for a frame boundary; 0 = none
  };

  bool is_client(const Side& side) const { return &side == &client_; }
  metrics::Direction direction(const Side& from) const {
    return is_client(from) ? metrics::Direction::client_to_backend : metrics::Direction::backend_to_client;
  }
  const char* name(const Side& side) const { return is_client(side) ? "client" : "backend"; }
  Side& other(const Side& side) { return is_client(side) ? backend_ : client_; }
  loop::Stream& stream(const Side& side) {
    return is_client(side) ? owner_.client_stream() : backend_stream_;
  }

  void relay(Side& from, std::span<const char> bytes);
  void relay_without_our_pongs(std::span<const char> bytes);
  void relay_around_notice(std::span<const char> bytes);
  std::size_t pass(Side& from, std::span<const char> bytes);
  bool move(Side& from);
  std::size_t walk(Side& from, std::span<const char> bytes);
  static void listen(Side& from, std::span<const char> bytes);
  void drained(Side& to);

  void watch();
  void offer_ping();
  void offer_notice();

  void source_ended(Side& from, bool lost);
  void hung_up(Side& from, loop::HangUp what);
  bool rest_moves();
  void passed_close(Side& from, std::span<const char> bytes);
  bool holds_back(std::uint16_t close_code);
  bool hold_close(std::span<const char> walked);
  void release();
  void backend_lost();
  void violated(Side& by);
  Cause judged(Cause cause, std::uint16_t close_code);
  void begin_end(Cause cause, const char* by, std::uint16_t code, std::string_view reason);
  void end_within(Duration time);
  void close_both(std::uint16_t to_client, std::uint16_t to_backend);
  void offer_close(Side& to);
  void offer_closes();
  void await_replies();
  void advance_close();
  void send_fin(Side& to);
  void finish();
  void report();

  void on_deadline(loop::Deadline& deadline) override;
  std::array<unsigned char, 4> new_mask();
  std::uint64_t now_ms() const { return environment_.loop.turn_ms(); }

  Environment& environment_;
  // What it began with, whatever is reloaded meanwhile. Shared with the loops and the control loop.
  const std::shared_ptr<const config::Config> config_;
  Owner& owner_;
  loop::Stream backend_stream_;
  Side client_;
  Side backend_;
  loop::Deadline deadline_;
  const std::uint64_t started_ms_;
  std::uint64_t lifetime_ends_ms_ = 0;  // 0 = never
  std::uint64_t last_frame_ms_;         // either way
  std::uint64_t last_client_ms_;        // anything from the client, Pongs to us included
  std::uint64_t pinged_ms_ = 0;         // 0 = no Ping of ours is unanswered
  std::uint64_t end_by_ms_ = 0;
  std::uint64_t rest_left_by_ms_ = 0;  // by when more of those bytes must have been read; 0 = none are left
  std::uint64_t rest_taken_ = 0;
  std::uint64_t notice_turn_ms_ = 0;  // when the Close that drain.notice announces is due
  std::unique_ptr<HeldClose> held_;   // the backend has ended, and the client is told at its turn
  const Side* rest_of_ = nullptr;     // the side that hung up while the other still has to read its bytes
  const TunnelLogContext note_;
  std::string reason_;
  const char* ended_by_ = nullptr;  // static text

  // Last and together, to avoid padding: there may be thousands of tunnels.
  std::optional<Cause> cause_;
  std::uint16_t code_ = proto::close_code::kNone;
  bool ping_due_ = false;     // waits for a frame boundary
  bool notice_due_ = false;   // waits for the end of a message
  bool replies_due_ = false;  // all Closes are sent; only replies are awaited
  bool done_ = false;
  bool kept_alive_ = false;  // TCP keep-alive of the backend's connection; the listener sets the client's
  PongFilter pong_filter_;
};

}  // namespace probegate::proxy
