#include "base/utf8.h"

namespace probegate {
namespace {

bool is_between(char c, unsigned char low, unsigned char high) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= low && byte <= high;
}

}  // namespace

// Table 3-7 of the Unicode standard: overlong forms, surrogates and values above U+10FFFF are excluded by
// the second byte.
Utf8Start utf8_start(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return {1, true};
  if (first < 0xc2 || first > 0xf4) return {1, false};
  const std::size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (text.size() < 2 || !is_between(text[1], low, high)) return {1, false};
  std::size_t seen = 2;
  while (seen < size && seen < text.size() && is_between(text[seen], 0x80, 0xbf)) ++seen;
  return {seen, seen == size};
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Start start = utf8_start(text);
    if (start.valid) {
      out.append(text.substr(0, start.size));
    } else {
      out.append("\xef\xbf\xbd");
    }
    text.remove_prefix(start.size);
  }
  return out;
}

std::string_view cut_utf8(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0u) == 0x80u) --most;
  return text.substr(0, most);
}

}  // namespace probegate
