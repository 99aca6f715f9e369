#include "proxy/pong_filter.h"

#include <cstring>

#include "proto/ws_frames.h"

namespace probegate::proxy {
namespace {

constexpr unsigned char kFinPong = 0x80 | static_cast<unsigned char>(proto::Opcode::pong);
constexpr unsigned char kMasked = 0x80;

}  // namespace

void PongFilter::choose(std::uint64_t random) {
  std::memcpy(payload_.data(), &random, kPayload);
  chosen_ = true;
}

PongFilter::Found PongFilter::take(std::span<const char>& bytes) {
  while (!bytes.empty() && size_ < frame_.size()) {
    frame_[size_++] = bytes.front();
    if (!may_be_ours()) {
      --size_;
      return Found::nothing;
    }
    bytes = bytes.subspan(1);
  }
  if (size_ < frame_.size()) return Found::partly;
  return proto::pong_size(kept(), payload()) == frame_.size() ? Found::whole : Found::nothing;
}

bool PongFilter::may_be_ours() const {
  const auto last = static_cast<unsigned char>(frame_[size_ - 1u]);
  if (size_ == 1) return last == kFinPong;
  if (size_ == 2) return last == (kMasked | kPayload);
  return true;
}

}  // namespace probegate::proxy
