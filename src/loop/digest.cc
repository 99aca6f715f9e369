#include "loop/digest.h"

#include <openssl/sha.h>

#include <array>

namespace probegate::loop {

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const auto byte : digest) out.append({kDigits[byte >> 4], kDigits[byte & 15]});
  return out;
}

}  // namespace probegate::loop
