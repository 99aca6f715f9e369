// The X-Request-Id of a request that brought none.
#pragma once

#include <random>
#include <string>

namespace probegate::proxy {

inline std::string new_request_id(std::mt19937& random) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string id;
  for (int word = 0; word < 4; ++word) {
    for (auto bits = random(), i = std::mt19937::result_type{0}; i < 8; ++i, bits >>= 4)
      id += kHex[bits & 15];
  }
  return id;
}

}  // namespace probegate::proxy
