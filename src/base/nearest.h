// Finds the word that was probably meant, for messages about commands, options, keys and values.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace probegate {

// The number of insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

// In lower case, with `_` for a hyphen and before a capital: "startupTimeout" and
// "startup-timeout" are startup_timeout.
std::string snake_case(std::string_view text);

// The word of `words` that differs least from `written`, ignoring case and hyphens; empty when
// none is similar.
std::string_view nearest_word(std::string_view written, std::span<const std::string_view> words);

}  // namespace probegate
