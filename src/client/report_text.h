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
  bool asked = true;  // some of them, by the user
  bool interrupted = false;

  std::vector<int> held_in(const config::Condition& condition) const;  // minutes
  bool failed() const;
};

// What nobody saw cannot pass: where the conditions do not say how long nobody may answer, it is no time.
std::vector<config::Condition> with_reachability(std::vector<config::Condition> conditions);

std::string report_head(const Report& report);  // title and the head of the table
std::string report_row(const Row& row);
std::string report_end(const Report& report, const Paint& paint);  // notes, sums and the verdict

nlohmann::ordered_json report_json(const Report& report);

}  // namespace probegate::client
