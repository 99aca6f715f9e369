// Text from peers as valid UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace probegate {

// What is no UTF-8 is replaced by U+FFFD, so that pages, events and logs stay readable for whoever decodes
// them.
std::string valid_utf8(std::string_view text);

// What `text`, which is not empty, begins with: a character, or so many bytes that are none and are replaced
// by one U+FFFD.
struct Utf8Start {
  std::size_t size;
  bool valid;
};
Utf8Start utf8_start(std::string_view text);

// The longest beginning of at most `most` bytes that does not cut a character in two.
std::string_view cut_utf8(std::string_view text, std::size_t most);

}  // namespace probegate
