#include "config/scalars.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/text.h"

namespace probegate::config {
namespace {

// Removes the leading digits from `text` and returns their value.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_decimal<std::uint64_t>(text.substr(0, end));
  text.remove_prefix(end);
  return number;
}

// Host bits must be zero: "10.0.0.1/8" is probably a typing mistake.
bool host_bits_are_zero(const Cidr& cidr) {
  const int bits = cidr.v6 ? 128 : 32;
  for (int bit = cidr.prefix; bit < bits; ++bit) {
    if (cidr.address[bit / 8] & (0x80 >> (bit % 8))) return false;
  }
  return true;
}

}  // namespace

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.size() > 1 && text.starts_with('0'))
    return std::nullopt;  // 010 is 8 to some parsers and 10 to others
  const auto number = parse_decimal<std::int64_t>(text);
  if (!number) return std::nullopt;
  return negative ? -*number : *number;
}

std::optional<Duration> parse_duration(std::string_view text) {
  using namespace std::chrono;
  if (text == "0") return Duration{0};
  struct Unit {
    std::string_view name;
    milliseconds size;
  };
  constexpr Unit kUnits[] = {{"h", hours(1)}, {"m", minutes(1)}, {"s", seconds(1)}, {"ms", milliseconds(1)}};
  const std::uint64_t limit = static_cast<std::uint64_t>(duration_cast<milliseconds>(kMaxDuration).count());
  std::uint64_t total = 0;
  std::size_t next = 0;  // the largest unit still allowed
  do {
    const auto number = take_number(text);
    if (!number || *number > limit) return std::nullopt;
    const auto name = text.substr(0, std::min(text.find_first_of("0123456789"), text.size()));
    while (next < std::size(kUnits) && kUnits[next].name != name) ++next;
    if (next == std::size(kUnits)) return std::nullopt;
    total += *number * static_cast<std::uint64_t>(kUnits[next].size.count());
    if (total > limit) return std::nullopt;
    ++next;
    text.remove_prefix(name.size());
  } while (!text.empty());
  return milliseconds(static_cast<std::int64_t>(total));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  std::uint64_t unit = 1;
  if (text == "KiB") unit = 1ull << 10;
  if (text == "MiB") unit = 1ull << 20;
  if (text == "GiB") unit = 1ull << 30;
  if ((unit == 1 && !text.empty()) || *number > kMaxSize / unit) return std::nullopt;
  return *number * unit;
}

std::string format_size(std::uint64_t bytes) {
  if (bytes == 0) return "0";
  if (bytes % (1ull << 30) == 0) return std::to_string(bytes >> 30) + "GiB";
  if (bytes % (1ull << 20) == 0) return std::to_string(bytes >> 20) + "MiB";
  if (bytes % (1ull << 10) == 0) return std::to_string(bytes >> 10) + "KiB";
  return std::to_string(bytes);
}

Result<Cidr> parse_cidr(std::string_view text) {
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  Cidr cidr;
  cidr.text = text;
  cidr.v6 = address.find(':') != std::string::npos;
  if (inet_pton(cidr.v6 ? AF_INET6 : AF_INET, address.c_str(), cidr.address) != 1) {
    return failure("must be a network such as 10.0.0.0/8 or \"::1/128\"");
  }
  const int bits = cidr.v6 ? 128 : 32;
  cidr.prefix = bits;
  if (slash != std::string_view::npos) {
    const auto prefix = parse_decimal<int>(text.substr(slash + 1));
    if (!prefix || *prefix > bits)
      return failure("the prefix must be a number from 0 to " + std::to_string(bits));
    cidr.prefix = *prefix;
  }
  if (!host_bits_are_zero(cidr)) return failure("has bits set after the prefix; write the network address");
  return cidr;
}

Result<Backend> parse_backend(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  if (text.starts_with("https://")) {
    return failure("https is not supported for the backend; write http://host:port");
  }
  if (text.starts_with("unix:")) {
    auto endpoint = Endpoint::parse(text);
    if (!endpoint) return failure(endpoint.error().message);
    return Backend{std::move(*endpoint), "localhost"};
  }
  if (!text.starts_with(kScheme)) return failure("must be http://host:port or unix:/path");
  text.remove_prefix(kScheme.size());
  if (text.ends_with('/')) text.remove_suffix(1);
  if (text.find_first_of("/?#@ ") != std::string_view::npos) {
    return failure("must be http://host:port alone, without user, path or query");
  }
  const std::string authority(text);
  const bool v6_alone = text.ends_with(']');
  const bool has_port = !v6_alone && text.find(':') != std::string_view::npos;
  auto endpoint = Endpoint::parse(has_port ? authority : authority + ":80");
  if (!endpoint) return failure(endpoint.error().message);
  if (endpoint->port == 0) return failure("the port must be a number from 1 to 65535");
  return Backend{std::move(*endpoint), authority};
}

bool is_http_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

}  // namespace probegate::config
