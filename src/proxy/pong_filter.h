// PongFilter: recognises the Pong that answers a Ping of ours, so that it is not passed on to a backend that
// never pinged. Pure; the bytes of one such frame that has come in part are kept here, never more.
//
// Invariant: all Pings of one tunnel carry the same payload, so a late Pong is recognised too.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace probegate::proxy {

class PongFilter {
 public:
  void choose(std::uint64_t random);  // the payload of this tunnel's Pings
  bool chosen() const { return chosen_; }
  std::string_view payload() const { return {payload_.data(), payload_.size()}; }

  // Takes bytes that begin at a frame boundary, or go on after `partly`, off the front of `bytes`.
  enum class Found {
    nothing,  // kept(), if not empty, is the beginning of a frame that is not ours: pass it on, then forget()
    partly,   // all of `bytes` was taken; the next bytes will tell
    whole,    // kept() is our Pong: forget() it
  };
  Found take(std::span<const char>& bytes);

  std::span<const char> kept() const { return {frame_.data(), size_}; }
  void forget() { size_ = 0; }

 private:
  static constexpr std::size_t kPayload = 8;
  static constexpr std::size_t kHeader = 2 + 4;  // with the mask that a client must use

  bool may_be_ours() const;

  std::array<char, kPayload> payload_{};
  std::array<char, kHeader + kPayload> frame_{};
  std::uint8_t size_ = 0;
  bool chosen_ = false;
};

}  // namespace probegate::proxy
