#include "metrics/traffic.h"

#include <algorithm>
#include <cmath>

namespace probegate::metrics {
namespace {

constexpr Duration kMinute = std::chrono::minutes(1);

template <typename Label>
void add_up(PerLabel<Label, std::uint64_t>& to, const PerLabel<Label, Counter>& from) {
  for (std::size_t word = 0; word < label_count<Label>; ++word) {
    to[static_cast<Label>(word)] += from[static_cast<Label>(word)].value();
  }
}

// The counters are read one after the other while they grow, so a difference could be negative.
std::uint64_t difference(std::uint64_t more, std::uint64_t less) { return more > less ? more - less : 0; }

template <typename Label>
std::uint64_t all(const PerLabel<Label, std::uint64_t>& numbers) {
  std::uint64_t total = 0;
  for (std::size_t word = 0; word < label_count<Label>; ++word) total += numbers[static_cast<Label>(word)];
  return total;
}

}  // namespace

std::uint64_t Traffic::all_messages() const { return all(messages); }
std::uint64_t Traffic::all_refused() const { return all(refused); }

Traffic sum_up(std::span<const DataLoopMetrics* const> loops) {
  Traffic total;
  for (const auto* loop : loops) {
    total.tunnels += loop->tunnels.value();
    total.held += loop->held.value();
    total.busy += loop->busy.value();
    for (int code = CodeCounters::kFirst; code <= CodeCounters::kLast; ++code) {
      const auto answers = loop->requests.value(code);
      total.requests += answers;
      total.requests_by_class[CodeCounters::class_of(code)] += answers;
    }
    total.requests += loop->requests.other();
    total.requests_by_class[CodeClass::other] += loop->requests.other();
    total.refused_below_500 += loop->refused_below_500.value();
    add_up(total.upgrades_refused, loop->upgrades_refused);
    add_up(total.upgrades_answered, loop->upgrades_answered);
    add_up(total.upgrades_failed, loop->upgrades_failed);
    add_up(total.messages, loop->tunnel_messages);
    add_up(total.upgrades, loop->upgrades);
    add_up(total.refused, loop->refused);
    for (const auto cause : {TunnelCause::client_lost, TunnelCause::backend_lost}) {
      total.tunnels_lost += loop->tunnel_ends[cause].value();
    }
  }
  auto& plain = total.requests_by_class;
  for (std::size_t i = 0; i < label_count<CodeClass>; ++i) {
    const auto code_class = static_cast<CodeClass>(i);
    plain[code_class] = difference(plain[code_class], total.upgrades_answered[code_class]);
  }
  auto& with_101 = plain[CodeClass::informational];
  with_101 = difference(with_101, total.upgrades[UpgradeResult::accepted]);
  return total;
}

bool LastMinute::most_upgrades_fail() const {
  const auto bad = upgrades[UpgradeResult::refused] + upgrades[UpgradeResult::failed];
  return bad > upgrades[UpgradeResult::accepted];
}

bool LastMinute::most_requests_fail() const {
  const auto bad = requests_by_class[CodeClass::server_error] + refused_below_500;
  return 2 * bad > std::max(all(requests_by_class), bad);
}

void TrafficWindow::look(TimePoint now, WallTime wall, const Traffic& total) {
  const Traffic& before = looks_.back().total;
  for (std::size_t word = 0; word < label_count<Reason>; ++word) {
    const auto reason = static_cast<Reason>(word);
    if (total.refused[reason] == before.refused[reason]) continue;
    if (refusals_.size() == kRefusals) refusals_.pop_front();
    refusals_.push_back({wall, now, reason, total.refused[reason] - before.refused[reason]});
  }
  looks_.push_back({now, total});
  while (looks_.size() > 1 && now - looks_[1].at >= kMinute) looks_.pop_front();
}

// The window may be up to one step longer than a minute; then the counts are scaled down to a minute.
LastMinute TrafficWindow::last_minute(TimePoint now, const Traffic& total) const {
  std::size_t first = 0;
  while (first + 1 < looks_.size() && now - looks_[first + 1].at >= kMinute) ++first;
  const Duration length = now - looks_[first].at;
  const double part = length > kMinute ? to_seconds(kMinute) / to_seconds(length) : 1;
  const Traffic& then = looks_[first].total;
  const auto within = [&](std::uint64_t newer, std::uint64_t older) {
    return static_cast<std::uint64_t>(std::llround(static_cast<double>(difference(newer, older)) * part));
  };
  const auto each = [&](auto& to, const auto& newer, const auto& older) {
    for (std::size_t i = 0; i < to.size(); ++i) to.at(i) = within(newer.at(i), older.at(i));
  };
  LastMinute minute{.requests = within(total.requests, then.requests),
                    .messages = within(total.all_messages(), then.all_messages()),
                    .refused = within(total.all_refused(), then.all_refused()),
                    .tunnels_lost = within(total.tunnels_lost, then.tunnels_lost),
                    .refused_below_500 = within(total.refused_below_500, then.refused_below_500)};
  each(minute.upgrades, total.upgrades, then.upgrades);
  each(minute.upgrades_refused, total.upgrades_refused, then.upgrades_refused);
  each(minute.upgrades_failed, total.upgrades_failed, then.upgrades_failed);
  each(minute.requests_by_class, total.requests_by_class, then.requests_by_class);
  return minute;
}

}  // namespace probegate::metrics
