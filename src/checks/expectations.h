// What an HTTP answer must be: a status from a set, and conditions on a JSON body. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace probegate::checks {

// "200-299" or "404", from 100 to 599.
class StatusSet {
 public:
  static Result<std::pair<int, int>> parse_range(std::string_view text);

  void add(std::pair<int, int> range) { ranges_.push_back(range); }
  bool contains(int status) const;
  std::string to_string() const;  // "200-299 or 404"

 private:
  std::vector<std::pair<int, int>> ranges_;
};

// "> 0", "== ok" or "exists", for what a JSON pointer leads to.
//
// The right side is JSON where it reads as such (0, true, null, "quoted"), else plain text. Numbers compare
// as numbers; a plain right side equals a text of the same letters, so == 5 takes 5 and "5". A missing value
// fails every condition, != too: a field that is gone proves nothing.
class JsonCondition {
 public:
  static Result<JsonCondition> parse(std::string_view pointer, std::string_view condition);

  // Nothing when it holds, else what is wrong: "/linkage_pct is 0, expected > 0".
  std::optional<std::string> complaint(const nlohmann::json& document) const;

 private:
  enum class Op { equal, not_equal, less, less_equal, greater, greater_equal, exists };

  bool holds(const nlohmann::json& value) const;
  bool equals(const nlohmann::json& value) const;

  nlohmann::json::json_pointer pointer_;
  Op op_ = Op::exists;
  nlohmann::json right_;
  std::string right_text_;
  std::string shown_;  // the condition as written
};

}  // namespace probegate::checks
