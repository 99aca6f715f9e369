// Latencies in four numbers. Pure.
#pragma once

#include <optional>
#include <vector>

namespace probegate::client {

struct Latencies {
  double min = 0;
  double median = 0;
  double p95 = 0;
  double max = 0;
};

// Percentiles by nearest rank; the median of an even count is the mean of the middle two. Empty without
// samples.
std::optional<Latencies> summarize(std::vector<double> samples);

}  // namespace probegate::client
