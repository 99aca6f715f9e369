// The X-Request-Id of a request that has none.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string>

namespace probegate::proxy {

// The eight hexadecimal digits of `bits` as the bytes of a number, in no particular order. Computed in
// parallel, because each request needs four of these.
inline std::uint64_t hex_digits(std::uint32_t bits) {
  std::uint64_t digits = bits;
  digits = (digits | digits << 16) & 0x0000ffff0000ffff;
  digits = (digits | digits << 8) & 0x00ff00ff00ff00ff;
  digits = (digits | digits << 4) & 0x0f0f0f0f0f0f0f0f;
  const std::uint64_t letters = (digits + 0x0606060606060606) >> 4 & 0x0101010101010101;
  return digits + 0x3030303030303030 + letters * ('a' - '9' - 1);
}

inline std::string new_request_id(std::mt19937& random) {
  std::string id(32, '0');
  for (std::size_t at = 0; at < id.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t digits = hex_digits(static_cast<std::uint32_t>(random()));
    std::memcpy(id.data() + at, &digits, sizeof digits);
  }
  return id;
}

}  // namespace probegate::proxy
