// PongFilter: recognises the Pong to a Ping of ours, so that it is not passed on to the backend, which sent
// no Ping. Pure; keeps the bytes of at most one partly received frame.
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
  void choose(std::uint64_t random);  // sets the payload of this tunnel's Pings
  bool chosen() const { return chosen_; }
  std::string_view payload() const { return {payload_.data(), payload_.size()}; }

  // Takes bytes off the front of `bytes`, which begin at a frame boundary or continue after `partly`.
  enum class Found {
    nothing,  // kept(), if not empty, begins a frame that is not our Pong: pass it on, then forget()
    partly,   // all of `bytes` was taken; more bytes are needed to decide
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
