// Reads the Prometheus text format, as much of it as /metrics of probegate has: names, labels, numbers. Pure.
//
// By hand, and not by a library: Debian has none for C++, and the writer of these lines is ours
// (metrics/exposition). What is not understood is left out; a reader of another version's metrics must go on.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace probegate::client {

struct MetricSample {
  std::string name;
  std::map<std::string, std::string, std::less<>> labels;
  double value = 0;
};

class MetricSamples {
 public:
  explicit MetricSamples(std::string_view text);

  // Of every sample of that name; 0 for none.
  double sum(std::string_view name) const;
  // Of those where the label has this value.
  double sum(std::string_view name, std::string_view label, std::string_view value) const;
  // One entry per value of the label, sums above 0 only.
  std::map<std::string, double> by_label(std::string_view name, std::string_view label) const;
  bool has(std::string_view name) const;

 private:
  std::vector<MetricSample> samples_;
};

}  // namespace probegate::client
