// Tunnel: a session after its 101. Relays frames both ways unchanged and ends them in a way both peers can
// read.
//
// Owns: the backend stream and one frame tracker per direction; the client stream is the session's.
// Invariant: reading of one side stops while the other side's queue is not empty, so memory per tunnel is
// bounded by one read buffer per direction; no allocation per message. A frame of ours is put only between
// two frames of theirs; after a Close, theirs or ours, nothing more is forwarded in that direction. Called
// from: Session, its data loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "loop/deadline.h"
#include "loop/stream.h"
#include "metrics/labels.h"
#include "proto/ws_frames.h"
#include "proxy/environment.h"

namespace probegate::proxy {

class Tunnel final : private loop::Deadline::Observer {
 public:
  using Cause = metrics::TunnelCause;

  class Owner {
   public:
    virtual loop::Stream& client_stream() = 0;
    virtual void
    tunnel_ended() = 0;  // both streams are closed; the tunnel is destroyed later, not inside this call

   protected:
    ~Owner() = default;
  };

  // `extensions`: the handshake agreed on some, so RSV bits are legal.
  Tunnel(Environment& environment, Owner& owner, loop::Stream backend, bool extensions);
  ~Tunnel();

  // Begins to relay, first the bytes that came glued to the two heads. May end the tunnel before it returns.
  void start(std::string_view from_client, std::string_view from_backend);

  // Ends the tunnel from our side: Close with `code` to both at the next frame boundary, at most 2 s for the
  // replies.
  void close(Cause cause, std::uint16_t code, std::string_view reason);
  void cut();  // now, without a word; the drain's budget is spent

  Duration age() const;

 private:
  // One end of the tunnel and the direction of the bytes that come from it.
  struct Side final : public loop::StreamObserver {
    Side(Tunnel& t, metrics::Direction d, proto::Masking masking, bool extensions, std::uint64_t max_message);
    void on_data(std::span<const char> piece) override { tunnel.relay(*this, piece); }
    void on_end() override { tunnel.source_ended(*this, 0); }
    void on_lost(int status) override { tunnel.source_ended(*this, status); }
    void on_drained() override { tunnel.drained(*this); }

    Tunnel& tunnel;
    const metrics::Direction direction;
    proto::FrameTracker tracker;
    std::uint64_t bytes = 0;
    bool ended = false;       // sends no more: FIN or loss
    bool lost = false;        // takes no more either
    bool close_sent = false;  // a Close, theirs or ours, went to this side; nothing may follow it
    bool fin_sent = false;
    std::uint16_t close_due =
        0;  // the code of a Close of ours that waits for the next frame boundary; 0 = none
  };

  bool is_client(const Side& side) const { return &side == &client_; }
  Side& other(const Side& side) { return is_client(side) ? backend_ : client_; }
  loop::Stream& stream(const Side& side) {
    return is_client(side) ? owner_.client_stream() : backend_stream_;
  }

  void relay(Side& from, std::span<const char> bytes);
  std::size_t walk(Side& from, std::span<const char> bytes);
  void source_ended(Side& from, int status);
  void drained(Side& to);
  void violated(Side& by);
  void begin_end(Cause cause, std::uint16_t code, std::string_view reason);
  void close_both(std::uint16_t to_client, std::uint16_t to_backend);
  void offer_close(Side& to);
  proto::ControlFrame close_frame(const Side& to);
  void send_fin(Side& to);
  void settle();
  void finish();
  void on_deadline(loop::Deadline& deadline) override;
  void report() const;

  Environment& environment_;
  Owner& owner_;
  loop::Stream backend_stream_;
  Side client_;
  Side backend_;
  loop::Deadline end_deadline_;
  std::uint64_t started_ms_;
  std::optional<Cause> cause_;
  std::uint16_t code_ = proto::close_code::kNone;  // of the Close that ended it
  std::string_view reason_;                        // static text
  bool done_ = false;
};

}  // namespace probegate::proxy
