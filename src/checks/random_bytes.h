// Unpredictable bytes for WebSocket masks and keys, and for names that must not collide between instances.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>

namespace probegate::checks {

template <std::size_t Size>
std::array<unsigned char, Size> random_bytes() {
  std::random_device source;  // the kernel's generator; blocks only during early boot
  std::array<unsigned char, Size> bytes;
  for (auto& byte : bytes) byte = static_cast<unsigned char>(source());
  return bytes;
}

inline std::string random_hex() {
  std::string text;
  for (const unsigned char byte : random_bytes<8>()) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace probegate::checks
