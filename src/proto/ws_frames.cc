#include "proto/ws_frames.h"

#include <algorithm>
#include <cassert>

#include "base/utf8.h"

namespace probegate::proto {
namespace {

using MaskKey = std::array<unsigned char, 4>;

constexpr std::uint8_t kFin = 0x80, kRsv = 0x70, kMask = 0x80;
constexpr std::size_t kMostControl = 125;
constexpr unsigned kLength16 = 126, kLength64 = 127;

// RFC 6455 section 7.4 and the IANA registry: codes allowed on the wire.
bool is_close_code(unsigned code) {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

std::uint64_t big_endian(const unsigned char* bytes, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes[i];
  return value;
}

std::size_t length_bytes(unsigned char second) {
  const unsigned length = second & 0x7fu;
  return length == kLength16 ? 2 : length == kLength64 ? 8 : 0;
}

std::uint64_t payload_length(const unsigned char* header) {
  const std::size_t extended = length_bytes(header[1]);
  return extended == 0 ? header[1] & 0x7fu : big_endian(header + 2, extended);
}

}  // namespace

enum class FrameTracker::Fault : std::uint8_t {
  none,
  opcode,
  reserved_bits,
  fragmented_control,
  control_too_long,
  unmasked,
  masked,
  length_not_shortest,
  length_top_bit,
  continuation_of_nothing,
  message_in_message,
  close_body,
  close_code,
  too_big,
};

std::string_view FrameTracker::detail(Fault fault) {
  switch (fault) {
    case Fault::none: return {};
    case Fault::opcode: return "a frame with an unknown opcode";
    case Fault::reserved_bits: return "a frame with reserved bits that no extension defines";
    case Fault::fragmented_control: return "a fragmented control frame";
    case Fault::control_too_long: return "a control frame with more than 125 bytes";
    case Fault::unmasked: return "an unmasked frame from a client";
    case Fault::masked: return "a masked frame from a server";
    case Fault::length_not_shortest: return "a frame whose length is not in its shortest form";
    case Fault::length_top_bit: return "a frame length with the top bit set";
    case Fault::continuation_of_nothing: return "a continuation frame without a message";
    case Fault::message_in_message: return "a new message inside a fragmented one";
    case Fault::close_body: return "a Close frame with one byte of payload";
    case Fault::close_code: return "a Close frame with a code that must not be sent";
    case Fault::too_big: return "a message larger than the limit";
  }
  return {};
}

FrameTracker::FrameTracker(Masking masking, bool extensions_negotiated, std::uint64_t max_message)
    : max_message_(max_message), masked_(masking == Masking::required), extensions_(extensions_negotiated) {}

FrameTracker::Problem FrameTracker::problem() const {
  if (fault_ == Fault::none) return Problem::none;
  return fault_ == Fault::too_big ? Problem::too_big : Problem::protocol;
}

std::string_view FrameTracker::problem_detail() const { return detail(fault_); }

std::size_t FrameTracker::walk(std::span<const char> bytes) {
  if (closed_ || fault_ != Fault::none) return 0;
  std::size_t at = 0;
  while (at < bytes.size() && !closed_) {
    if (payload_left_ > 0) {
      const auto step = std::min<std::uint64_t>(payload_left_, bytes.size() - at);
      at += static_cast<std::size_t>(step);
      payload_left_ -= step;
      if (payload_left_ == 0) end_frame();
      if (stop_between_messages_ && between_messages()) break;
      continue;
    }
    const auto* const next = reinterpret_cast<const unsigned char*>(bytes.data()) + at;
    const bool begins_here = header_size_ == 0;
    if (const std::size_t plain = begins_here ? plain_message(next, bytes.size() - at) : 0) {
      ++messages_;
      at += plain;
      if (stop_between_messages_) break;
      continue;
    }
    if (begins_here && stop_before_pong_ && at > 0 &&
        (*next & 0x0fu) == static_cast<unsigned>(Opcode::pong)) {
      break;
    }
    const std::size_t header_bytes = walk_header(next, bytes.size() - at);
    if (fault_ != Fault::none) {
      // No byte of this frame was forwarded, so its start is still a frame boundary.
      if (begins_here) header_size_ = 0;
      break;
    }
    at += header_bytes;
    if (stop_between_messages_ && between_messages()) break;
  }
  return at;
}

// Fast path for most frames: the size of a complete unfragmented message at the start of `bytes` that
// obviously breaks no rule; otherwise 0, and each rule must be checked.
std::size_t FrameTracker::plain_message(const unsigned char* bytes, std::size_t size) const {
  constexpr unsigned kText = kFin | static_cast<unsigned>(Opcode::text), kBinary = kText + 1;
  if (size < 4 || in_message_ || ((bytes[1] & kMask) != 0) != masked_) return 0;
  const unsigned first = bytes[0] & (extensions_ ? ~static_cast<unsigned>(kRsv) : ~0u);
  if (first != kText && first != kBinary) return 0;
  std::size_t header = masked_ ? 6 : 2;
  std::size_t length = bytes[1] & 0x7fu;
  if (length >= kLength16) {
    header += 2;
    length = static_cast<std::size_t>(bytes[2]) << 8 | bytes[3];
    if (length <= kMostControl || (bytes[1] & 0x7fu) == kLength64) return 0;
  }
  if (max_message_ > 0 && length > max_message_) return 0;
  return header + length <= size ? header + length : 0;
}

// How many header bytes are needed for the next check: one, two or all.
std::size_t FrameTracker::header_needed() const {
  if (header_size_ < 2) return header_size_ + 1u;
  const bool has_code = opcode() == static_cast<unsigned>(Opcode::close) && (header_[1] & 0x7f) >= 2;
  return 2 + length_bytes(header_[1]) + (masked_ ? 4 : 0) + (has_code ? 2 : 0);
}

// Stops at the end of the header, at a fault, or when the bytes are used up; returns how many it used.
std::size_t FrameTracker::walk_header(const unsigned char* bytes, std::size_t size) {
  std::size_t used = 0;
  do {
    header_[header_size_++] = bytes[used++];
    if (header_size_ == 1) check_first();
    if (header_size_ == 2) check_second();
    if (fault_ != Fault::none) return used;
    if (header_size_ < 2) continue;
    const std::size_t needed = header_needed();
    if (used == 2 && header_size_ == 2 && size >= needed) {  // the common case: all of it lies here
      begin_payload(bytes, needed);
      return needed;
    }
    if (header_size_ == needed) {
      begin_payload(header_.data(), needed);
      return used;
    }
  } while (used < size);
  return used;
}

// Rejects a bad frame by its first byte where possible.
void FrameTracker::check_first() {
  const unsigned op = opcode();
  if (op > 10 || (op > 2 && op < 8)) {
    fault_ = Fault::opcode;
  } else if ((header_[0] & kRsv) != 0 && (!extensions_ || is_control())) {
    fault_ = Fault::reserved_bits;
  } else if (is_control()) {
    if (!is_final()) fault_ = Fault::fragmented_control;
  } else if ((op == 0) != in_message_) {
    fault_ = op == 0 ? Fault::continuation_of_nothing : Fault::message_in_message;
  }
}

void FrameTracker::check_second() {
  const unsigned length = header_[1] & 0x7fu;
  if (((header_[1] & kMask) != 0) != masked_) {
    fault_ = masked_ ? Fault::unmasked : Fault::masked;
  } else if (is_control() && length > kMostControl) {
    fault_ = Fault::control_too_long;
  } else if (opcode() == static_cast<unsigned>(Opcode::close) && length == 1) {
    fault_ = Fault::close_body;
  }
}

// The header is complete: checks that need all of it, and the start of the payload.
void FrameTracker::begin_payload(const unsigned char* header, std::size_t header_size) {
  const std::uint64_t length = payload_length(header);
  std::uint64_t left = length;
  if (is_control()) {
    if (opcode() == static_cast<unsigned>(Opcode::close) && length >= 2) {
      const unsigned char* const at = header + header_size - 2;
      unsigned code = static_cast<unsigned>(big_endian(at, 2));
      if (masked_) code ^= static_cast<unsigned>(big_endian(at - 4, 2));
      if (!is_close_code(code)) fault_ = Fault::close_code;
      if (fault_ == Fault::none) close_code_ = static_cast<std::uint16_t>(code);
      left -= 2;
    }
  } else {
    const std::size_t extended = length_bytes(header[1]);
    if (length >> 63 != 0) {
      fault_ = Fault::length_top_bit;
    } else if (extended != 0 && length <= (extended == 2 ? kMostControl : 0xffffu)) {
      fault_ = Fault::length_not_shortest;
    } else if (max_message_ > 0 && length > max_message_ - message_bytes_) {
      fault_ = Fault::too_big;
    }
  }
  if (fault_ != Fault::none) return;
  header_size_ = 0;
  payload_left_ = left;
  if (!is_control()) {
    message_bytes_ += length;
    in_message_ = !is_final();
  }
  if (payload_left_ == 0) end_frame();
}

void FrameTracker::end_frame() {
  if (is_control()) {
    closed_ = opcode() == static_cast<unsigned>(Opcode::close);
  } else if (is_final()) {
    ++messages_;
    message_bytes_ = 0;
  }
}

std::string FrameTracker::close_reason(std::span<const char> walked) const {
  const std::size_t length = header_[1] & 0x7fu;
  const std::size_t key_size = masked_ ? 4 : 0;
  if (!closed_ || length <= 2 || walked.size() < length + key_size) return {};
  const auto payload = walked.last(length);
  std::string reason(payload.begin() + 2, payload.end());
  if (masked_) {
    const auto key = walked.last(length + key_size).first(key_size);
    for (std::size_t i = 0; i < reason.size(); ++i) {
      reason[i] = static_cast<char>(reason[i] ^ key[(i + 2) % 4]);  // the code came first
    }
  }
  return reason;
}

std::size_t pong_size(std::span<const char> bytes, std::string_view payload) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() < 2 || byte(0) != (kFin | static_cast<unsigned>(Opcode::pong))) return 0;
  const bool masked = (byte(1) & kMask) != 0;
  const std::size_t header = masked ? 6 : 2;
  if ((byte(1) & 0x7fu) != payload.size() || bytes.size() < header + payload.size()) return 0;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    const unsigned key = masked ? byte(2 + i % 4) : 0u;
    if ((byte(header + i) ^ key) != static_cast<unsigned char>(payload[i])) return 0;
  }
  return header + payload.size();
}

namespace {

void apply_mask(char* bytes, std::size_t size, MaskKey key) {
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>(static_cast<unsigned char>(bytes[i]) ^ key[i % 4]);
}

ControlFrame make_control(Opcode opcode, std::string_view payload, const MaskKey* key) {
  assert(payload.size() <= kMostControl);
  ControlFrame frame{};
  const auto put = [&frame](unsigned byte) { frame.bytes[frame.size++] = static_cast<char>(byte); };
  put(kFin | static_cast<unsigned>(opcode));
  put(static_cast<unsigned>(payload.size()) | (key != nullptr ? kMask : 0u));
  if (key != nullptr) std::for_each(key->begin(), key->end(), put);
  std::copy(payload.begin(), payload.end(), frame.bytes.begin() + static_cast<std::ptrdiff_t>(frame.size));
  if (key != nullptr) apply_mask(frame.bytes.data() + frame.size, payload.size(), *key);
  frame.size += payload.size();
  return frame;
}

ControlFrame make_close(std::uint16_t code, std::string_view reason, const MaskKey* key) {
  if (code == close_code::kNone) return make_control(Opcode::close, {}, key);
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  payload += cut_utf8(reason, kMostControl - 2);
  return make_control(Opcode::close, payload, key);
}

}  // namespace

ControlFrame make_close(std::uint16_t code, std::string_view reason) {
  return make_close(code, reason, nullptr);
}
ControlFrame make_close(std::uint16_t code, std::string_view reason, std::array<unsigned char, 4> mask_key) {
  return make_close(code, reason, &mask_key);
}
ControlFrame make_ping(std::string_view payload) { return make_control(Opcode::ping, payload, nullptr); }
ControlFrame make_ping(std::string_view payload, std::array<unsigned char, 4> mask_key) {
  return make_control(Opcode::ping, payload, &mask_key);
}

namespace {

// The second byte of a header and the extended length (RFC 6455 section 5.2).
void put_length(std::string& frame, unsigned mask, std::size_t size) {
  const unsigned first = size <= kMostControl ? static_cast<unsigned>(size)
                         : size <= 0xffff     ? kLength16
                                              : kLength64;
  frame += static_cast<char>(mask | first);
  for (std::size_t i = first == kLength16 ? 2 : first == kLength64 ? 8 : 0; i > 0; --i)
    frame += static_cast<char>(size >> (8 * (i - 1)) & 0xff);
}

}  // namespace

std::string make_server_text(std::string_view payload) {
  std::string frame{static_cast<char>(kFin | static_cast<unsigned>(Opcode::text))};
  put_length(frame, 0, payload.size());
  return frame.append(payload);
}

std::string make_client_text(std::string_view payload, std::array<unsigned char, 4> mask_key) {
  std::string frame{static_cast<char>(kFin | static_cast<unsigned>(Opcode::text))};
  put_length(frame, kMask, payload.size());
  frame.append(mask_key.begin(), mask_key.end());
  const std::size_t header = frame.size();
  frame += payload;
  apply_mask(frame.data() + header, payload.size(), mask_key);
  return frame;
}

FrameReader::Status FrameReader::next(std::span<const char>& input) {
  const auto take = [&](std::size_t most, std::string& to) {
    const auto piece = input.first(std::min(most, input.size()));
    to.append(piece.data(), piece.size());
    rules_.walk(piece);
    if (rules_.problem() != FrameTracker::Problem::none) error_ = rules_.problem_detail();
    input = input.subspan(piece.size());
  };
  while (error_.empty()) {
    if (in_payload_) {
      const auto size_before = frame_.payload.size();
      take(static_cast<std::size_t>(left_), frame_.payload);
      left_ -= frame_.payload.size() - size_before;
      if (!error_.empty()) break;
      if (left_ > 0) return Status::more;
      in_payload_ = false;
      header_.clear();
      return Status::frame;
    }
    if (header_.empty() && rules_.closed()) input = {};  // data after a Close is ignored
    const auto* const header = reinterpret_cast<const unsigned char*>(header_.data());
    const std::size_t needed = header_.size() < 2 ? 2 : 2 + length_bytes(header[1]);
    if (header_.size() < needed) {
      if (input.empty()) return Status::more;
      take(needed - header_.size(), header_);
      continue;
    }
    left_ = payload_length(header);
    if (left_ > max_frame_) {
      error_ = "a frame larger than the limit";
      break;
    }
    frame_.opcode = static_cast<Opcode>(header[0] & 0x0f);
    frame_.fin = (header[0] & kFin) != 0;
    frame_.payload.clear();
    in_payload_ = true;
  }
  return Status::error;
}

}  // namespace probegate::proto
