// The X-Request-Id of a request that brought none.
#pragma once

#include <random>
#include <string>

namespace probegate::proxy {

inline std::string new_request_id(std::mt19937& random) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string id(32, '0');
  for (auto digit = id.begin(); digit != id.end();) {
    for (auto bits = random(), i = std::mt19937::result_type{0}; i < 8; ++i, bits >>= 4)
      *digit++ = kHex[bits & 15];
  }
  return id;
}

}  // namespace probegate::proxy
