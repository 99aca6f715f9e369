// What a report is to fail on: "refused_ratio>0.01,rss_bytes>100MiB". Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/report_row.h"
#include "base/result.h"

namespace probegate::app {

struct FailCondition {
  enum class Comparison { above, at_least, below, at_most, equal };

  std::string text;  // as written
  std::string name;
  Comparison comparison = Comparison::above;
  double limit = 0;

  std::optional<double> value(const Row& row) const;  // empty: unknown in this row, and then nothing holds
  bool holds(const Row& row) const;
};

// The names that a condition may have, for messages and help.
std::string fail_condition_names();

// Conditions joined by commas; none for an empty text.
Result<std::vector<FailCondition>> parse_fail_conditions(std::string_view text);

// What nobody saw cannot pass: where the conditions do not say how long nobody may answer, it is no time.
std::vector<FailCondition> with_reachability(std::vector<FailCondition> conditions);

}  // namespace probegate::app
