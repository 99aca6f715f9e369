// WebSocket frames (RFC 6455 section 5) for a relay: boundaries and types, but no payload.
//
// FrameTracker reads frame headers in a forwarded stream: one object per direction, a few bytes of state, no
// copies, no allocation. It knows the frame boundaries, so that our own frames can be inserted between them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace probegate::proto {

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

namespace close_code {
inline constexpr std::uint16_t kNormal = 1000, kGoingAway = 1001, kProtocolError = 1002, kTooBig = 1009,
                               kInternalError = 1011, kServiceRestart = 1012,
                               kNone = 1005;  // never on the wire: a Close without a code
}

enum class Masking { required, forbidden };  // from clients: required; from servers: forbidden

class FrameTracker {
 public:
  // `extensions_negotiated`: RSV bits are allowed and forwarded. `max_message` 0 = no limit.
  FrameTracker(Masking masking, bool extensions_negotiated, std::uint64_t max_message);

  enum class Problem : std::uint8_t { none, protocol, too_big };

  // Reads forwarded bytes. Stops, and returns how many were read, at: the end of the input; the end of a
  // Close frame (closed() is then true; bytes after it are not to be forwarded); the first byte of the frame
  // that breaks a rule (problem() says which; header bytes of that frame from this call are not counted, so
  // no part of a bad frame needs to be forwarded).
  std::size_t walk(std::span<const char> bytes);

  bool at_boundary() const {
    return header_size_ == 0 && payload_left_ == 0;
  }  // our own frame may be inserted here
  // And a message of ours may be: not inside a fragmented one.
  bool between_messages() const { return at_boundary() && !in_message_; }
  // Payload bytes left of the current frame. All but the last may bypass walk(); report them with skip().
  std::uint64_t payload_left() const { return payload_left_; }
  void skip(std::uint64_t bytes) { payload_left_ -= bytes; }
  bool closed() const { return closed_; }  // a Close frame has passed
  std::uint16_t close_code() const {
    return close_code_;
  }  // of that Close; close_code::kNone when it had none
  // The reason of the Close that the bytes just walked end with; empty when it came in an earlier piece.
  std::string close_reason(std::span<const char> walked) const;
  Problem problem() const;
  std::string_view problem_detail() const;
  std::uint64_t messages() const { return messages_; }  // complete text and binary messages so far

  // While on, walk() also stops before each Pong that is not at the start of `bytes`, so that the answer to
  // our own Ping can be recognised (pong_size) and dropped.
  void stop_before_pong(bool on) { stop_before_pong_ = on; }
  // While on, walk() also stops between two messages.
  void stop_between_messages(bool on) { stop_between_messages_ = on; }
  // The size of the Close frame that has passed, its header included.
  std::size_t close_size() const { return (masked_ ? 6u : 2u) + (header_[1] & 0x7fu); }

 private:
  enum class Fault : std::uint8_t;
  static std::string_view detail(Fault fault);

  std::size_t plain_message(const unsigned char* bytes, std::size_t size) const;
  std::size_t walk_header(const unsigned char* bytes, std::size_t size);
  std::size_t header_needed() const;
  void check_first();
  void check_second();
  void begin_payload(const unsigned char* header, std::size_t header_size);
  void end_frame();
  unsigned opcode() const { return header_[0] & 0x0f; }
  bool is_final() const { return (header_[0] & 0x80) != 0; }
  bool is_control() const { return (header_[0] & 0x08) != 0; }

  std::uint64_t payload_left_ = 0;   // of the current frame
  std::uint64_t message_bytes_ = 0;  // payload of the message so far, over its fragments
  std::uint64_t max_message_;
  std::uint64_t messages_ = 0;
  std::array<unsigned char, 14> header_{};  // of the current frame, with the code of a Close
  std::uint16_t close_code_ = close_code::kNone;
  std::uint8_t header_size_ = 0;  // bytes received; 0 again once it is complete
  Fault fault_{};
  bool masked_;
  bool extensions_;
  bool in_message_ = false;  // between the first fragment and the last
  bool closed_ = false;
  bool stop_before_pong_ = false;
  bool stop_between_messages_ = false;
};
static_assert(sizeof(FrameTracker) <= 64);

// `bytes` begin at a frame boundary. The size of a complete Pong with `payload` at their start; otherwise 0.
std::size_t pong_size(std::span<const char> bytes, std::string_view payload);

// Complete control frames to send. `mask_key` only towards a server.
struct ControlFrame {
  std::array<char, 2 + 4 + 125> bytes;
  std::size_t size = 0;
  std::string_view view() const { return {bytes.data(), size}; }
};
// The reason is cut at 123 bytes, on a UTF-8 boundary; kNone makes a Close without code and reason.
ControlFrame make_close(std::uint16_t code, std::string_view reason);
ControlFrame make_close(std::uint16_t code, std::string_view reason, std::array<unsigned char, 4> mask_key);
ControlFrame make_ping(std::string_view payload);
ControlFrame make_ping(std::string_view payload, std::array<unsigned char, 4> mask_key);

// A text message as a server sends it: unmasked, not compressed, in one frame.
std::string make_server_text(std::string_view payload);

// A whole text frame as a client sends it (masked), for the WebSocket check.
std::string make_client_text(std::string_view payload, std::array<unsigned char, 4> mask_key);

// Assembles complete frames from a server's stream, up to a limit, for the WebSocket check (not
// for the relay).
class FrameReader {
 public:
  explicit FrameReader(std::size_t max_frame) : max_frame_(max_frame) {}
  struct Frame {
    Opcode opcode;
    bool fin;
    std::string payload;
  };
  enum class Status { more, frame, error };
  Status next(std::span<const char>& input);  // consumes; after `frame` see frame()
  const Frame& frame() const { return frame_; }
  std::string_view error() const { return error_; }

 private:
  std::size_t max_frame_;
  FrameTracker rules_{Masking::forbidden, false, 0};
  Frame frame_{};
  std::string header_;
  std::uint64_t left_ = 0;  // of the payload
  bool in_payload_ = false;
  std::string_view error_;
};

}  // namespace probegate::proto
