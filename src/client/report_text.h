// A report for people (a Markdown table, readable as it grows) and for programs (one JSON document). Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "client/report_row.h"
#include "client/terminal.h"
#include "config/conditions.h"

namespace probegate::client {

struct Report {
  std::string url;
  WallTime from{};
  Duration planned{0};
  std::vector<Row> rows;
  std::vector<std::string> notes;  // "minute 3: ...", in order
  std::vector<config::Condition> conditions;
  bool asked = true;  // the user gave conditions
  bool interrupted = false;

  std::vector<int> held_in(const config::Condition& condition) const;  // minutes
  bool failed() const;
};

// Adds `unreachable_seconds>0` unless the conditions already limit it: time without readings cannot pass.
std::vector<config::Condition> with_reachability(std::vector<config::Condition> conditions);

std::string report_head(const Report& report);  // title and table header
std::string report_row(const Row& row);
std::string report_end(const Report& report, const Paint& paint);  // notes, sums and the verdict

nlohmann::ordered_json report_json(const Report& report);

}  // namespace probegate::client
