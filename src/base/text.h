// Small text functions used in all folders: case-insensitive ASCII, strict numbers, readable times.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace probegate {

// ASCII only, as HTTP requires. The length comparison is inline, because it decides most
// comparisons of names.
bool iequals_of_one_length(std::string_view a, std::string_view b);
inline bool iequals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && iequals_of_one_length(a, b);
}
std::string to_lower(std::string_view text);
std::string_view trim(std::string_view text);                                // SP and HTAB
std::vector<std::string_view> split(std::string_view text, char separator);  // views into `text`, untrimmed

// The run time depends only on the length of `given`, so that guesses reveal nothing about the secret.
bool equal_in_constant_time(std::string_view given, std::string_view secret);

// True when the comma-separated list contains the token, ASCII case ignored (RFC 9110 section 5.6.1).
bool list_contains(std::string_view list, std::string_view token);

// Parses a text that is one decimal number without sign or whitespace; otherwise empty.
template <typename Int>
std::optional<Int> parse_decimal(std::string_view text) {
  Int value{};
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Every `word`, which is not empty, becomes `other`.
std::string replaced(std::string_view text, std::string_view word, std::string_view other);
std::string hex(std::string_view bytes);  // two small digits for each
std::string iso8601(WallTime time);       // 2026-11-23T12:00:00.123Z, always 24 characters
std::optional<WallTime> parse_iso8601(const std::string& text);  // exactly the form iso8601() writes
std::string format_duration(Duration d);  // "250ms", "2s", "1m30s", "0s": the exact form the config reads

}  // namespace probegate
