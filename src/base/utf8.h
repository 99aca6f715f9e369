// Makes text from peers valid UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace probegate {

// Replaces invalid UTF-8 by U+FFFD, so that every client can decode pages, events and logs.
std::string valid_utf8(std::string_view text);

// The start of `text`, which is not empty: a character, or a number of invalid bytes that
// one U+FFFD replaces.
struct Utf8Start {
  std::size_t size;
  bool valid;
};
Utf8Start utf8_start(std::string_view text);

// The longest beginning of at most `most` bytes that does not cut a character in two.
std::string_view cut_utf8(std::string_view text, std::size_t most);

}  // namespace probegate
