// Strict parsers of one scalar: the whole text must match. No octal, no yes/no, no partial numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"

namespace probegate::config {

inline constexpr Duration kMaxDuration = std::chrono::hours(24 * 365);
inline constexpr std::uint64_t kMaxSize = 1ull << 50;

std::optional<bool> parse_boolean(std::string_view text);          // true, false
std::optional<std::int64_t> parse_integer(std::string_view text);  // -12, 0, 30000
std::optional<Duration> parse_duration(std::string_view text);     // 250ms, 2s, 1h30m, 0; largest unit first
std::optional<std::uint64_t> parse_size(std::string_view text);    // 0, 512, 64KiB, 1MiB, 1GiB
std::string format_size(std::uint64_t bytes);                      // the largest unit that is exact
Result<Cidr> parse_cidr(std::string_view text);        // 10.0.0.0/8, ::1/128, a bare address is one host
Result<Backend> parse_backend(std::string_view text);  // http://host[:port] or unix:/path

bool is_http_token(std::string_view text);  // RFC 9110 section 5.6.2, not empty

}  // namespace probegate::config
