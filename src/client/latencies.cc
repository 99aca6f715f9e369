#include "client/latencies.h"

#include <algorithm>
#include <cmath>

namespace probegate::client {

std::optional<Latencies> summarize(std::vector<double> samples) {
  if (samples.empty()) return std::nullopt;
  std::sort(samples.begin(), samples.end());
  const std::size_t count = samples.size();
  const auto rank = static_cast<std::size_t>(std::ceil(0.95 * static_cast<double>(count)));
  return Latencies{samples.front(), (samples[(count - 1) / 2] + samples[count / 2]) / 2, samples[rank - 1],
                   samples.back()};
}

}  // namespace probegate::client
