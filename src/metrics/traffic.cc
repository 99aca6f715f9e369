#include "metrics/traffic.h"

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
    for (int code = CodeCounters::kFirst; code <= CodeCounters::kLast; ++code) {
      total.requests += loop->requests.value(code);
    }
    total.requests += loop->requests.other();
    add_up(total.messages, loop->tunnel_messages);
    add_up(total.upgrades, loop->upgrades);
    add_up(total.refused, loop->refused);
    for (const auto cause : {TunnelCause::client_lost, TunnelCause::backend_lost}) {
      total.tunnels_lost += loop->tunnel_ends[cause].value();
    }
  }
  return total;
}

void TrafficWindow::look(TimePoint now, WallTime wall, const Traffic& total) {
  const Traffic& before = looks_.back().total;
  for (std::size_t word = 0; word < label_count<Reason>; ++word) {
    const auto reason = static_cast<Reason>(word);
    if (total.refused[reason] == before.refused[reason]) continue;
    if (refusals_.size() == kRefusals) refusals_.pop_front();
    refusals_.push_back({wall, reason, total.refused[reason] - before.refused[reason]});
  }
  looks_.push_back({now, total});
  while (looks_.size() > 1 && now - looks_[1].at >= kMinute) looks_.pop_front();
}

// Between two looks the window is up to one step longer than a minute; then its part of a minute is taken.
LastMinute TrafficWindow::last_minute(TimePoint now, const Traffic& total) const {
  std::size_t first = 0;
  while (first + 1 < looks_.size() && now - looks_[first + 1].at >= kMinute) ++first;
  const Duration length = now - looks_[first].at;
  const double part = length > kMinute ? to_seconds(kMinute) / to_seconds(length) : 1;
  const Traffic& then = looks_[first].total;
  const auto within = [&](std::uint64_t newer, std::uint64_t older) {
    return static_cast<std::uint64_t>(std::llround(static_cast<double>(newer - older) * part));
  };
  return {within(total.requests, then.requests), within(total.all_messages(), then.all_messages()),
          within(total.all_refused(), then.all_refused())};
}

}  // namespace probegate::metrics
