#include "checks/redis_cluster.h"

#include <algorithm>

#include "base/text.h"
#include "checks/presentable.h"
#include "checks/redis_answers.h"

namespace probegate::checks {
namespace {

constexpr int kSlots = 16384;
constexpr std::size_t kFlags = 2;  // fields of a line of CLUSTER NODES
constexpr std::size_t kFirstSlot = 8;

// CRC-16/XMODEM, as in the cluster specification.
std::uint16_t crc16(std::string_view bytes) {
  std::uint16_t crc = 0;
  for (const char c : bytes) {
    crc = static_cast<std::uint16_t>(crc ^ (static_cast<unsigned char>(c) << 8));
    for (int bit = 0; bit < 8; ++bit) {
      const bool high = (crc & 0x8000) != 0;
      crc = static_cast<std::uint16_t>(crc << 1);
      if (high) crc ^= 0x1021;
    }
  }
  return crc;
}

// Parses "0-5460" or "5461"; empty for "[93->-…]", a slot being migrated.
std::optional<SlotRange> read_range(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = parse_decimal<int>(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_decimal<int>(text.substr(dash + 1));
  if (!first || !last || *first > *last || *last >= kSlots) return std::nullopt;
  return SlotRange(*first, *last);
}

}  // namespace

int redis_slot(std::string_view key) {
  const auto open = key.find('{');
  const auto close = open == std::string_view::npos ? open : key.find('}', open + 1);
  const bool tagged = close != std::string_view::npos && close > open + 1;
  return crc16(tagged ? key.substr(open + 1, close - open - 1) : key) % kSlots;
}

std::vector<SlotRange> own_slots(std::string_view cluster_nodes) {
  std::vector<SlotRange> slots;
  for (auto line : split(cluster_nodes, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto fields = split(line, ' ');
    if (fields.size() <= kFirstSlot || !list_contains(fields[kFlags], "myself")) continue;
    for (std::size_t i = kFirstSlot; i < fields.size(); ++i) {
      if (const auto range = read_range(fields[i])) slots.push_back(*range);
    }
  }
  return slots;
}

// If a node has one slot, one number in 16,384 matches, so tens of thousands are tried at most.
std::string key_in_slots(const std::string& prefix, const std::vector<SlotRange>& slots, std::uint32_t seed) {
  for (std::uint32_t number = seed;; ++number) {
    const std::string tag = std::to_string(number);
    const int slot = redis_slot(tag);
    const bool ours = std::any_of(slots.begin(), slots.end(), [&](const SlotRange& range) {
      return range.first <= slot && slot <= range.second;
    });
    if (ours) return prefix + "{" + tag + "}";
  }
}

std::optional<Redirection> read_redirection(std::string_view error, const Endpoint& asked) {
  const auto words = split(error, ' ');
  if (words.size() < 3 || (words[0] != "MOVED" && words[0] != "ASK")) return std::nullopt;
  const auto colon = words[2].rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_decimal<std::uint16_t>(words[2].substr(colon + 1));
  auto host = words[2].substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() && !asked.is_unix()) host = asked.host;
  if (!port || *port == 0 || host.empty()) return std::nullopt;
  return Redirection{words[0] == "ASK", Endpoint::tcp(std::string(host), *port)};
}

std::optional<health::CheckResult> judge_cluster_state(std::string_view cluster_info) {
  const auto state = redis_info_value(cluster_info, "cluster_state");
  if (state == "ok") return std::nullopt;
  if (state.empty())
    return health::CheckResult::fail(health::FailKind::protocol, "CLUSTER INFO names no cluster_state");
  std::string message = "the cluster is down: cluster_state is " + quoted(state);
  const auto served = redis_info_value(cluster_info, "cluster_slots_ok");
  if (parse_decimal<int>(served)) message += ", " + std::string(served) + " of 16384 slots are served";
  return health::CheckResult::fail(health::FailKind::answer, message);
}

}  // namespace probegate::checks
