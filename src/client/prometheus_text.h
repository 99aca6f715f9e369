// Reads the part of the Prometheus text format that /metrics of probegate uses: names, labels, numbers. Pure.
//
// Not a library: Debian has none for C++, and these lines are written by metrics/exposition. Lines that it
// does not understand are skipped, because another version may have written them.
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

  // The sum of all samples of that name; 0 if there are none.
  double sum(std::string_view name) const;
  // The sum of those whose label has this value.
  double sum(std::string_view name, std::string_view label, std::string_view value) const;
  // One entry per value of the label, sums above 0 only.
  std::map<std::string, double> by_label(std::string_view name, std::string_view label) const;
  bool has(std::string_view name) const;

 private:
  std::vector<MetricSample> samples_;
};

}  // namespace probegate::client
