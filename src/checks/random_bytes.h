// Unpredictable bytes for WebSocket masks and keys, and for names that must not collide between instances.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>

#include "base/text.h"

namespace probegate::checks {

template <std::size_t Size>
std::array<unsigned char, Size> random_bytes() {
  std::random_device source;  // the kernel's generator; blocks only during early boot
  std::array<unsigned char, Size> bytes;
  for (auto& byte : bytes) byte = static_cast<unsigned char>(source());
  return bytes;
}

inline std::string random_hex() {
  const auto bytes = random_bytes<8>();
  return hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace probegate::checks
