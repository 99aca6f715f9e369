// Expectations of an HTTP response: a set of statuses, and conditions on headers and on a JSON body. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/fields.h"

namespace probegate::checks {

// "200-299" or "404", from 100 to 599.
class StatusSet {
 public:
  static Result<std::pair<int, int>> parse_range(std::string_view text);
  // Reads a list of ranges; errors are reported to `fields`.
  static StatusSet read(const config::Fields& fields, const char* key, std::vector<std::string> fallback);

  void add(std::pair<int, int> range) { ranges_.push_back(range); }
  bool contains(int status) const;
  std::string to_string() const;  // "200-299 or 404"

 private:
  std::vector<std::pair<int, int>> ranges_;
};

// A condition on one value: "> 0", "== ok", "contains json" or "exists".
//
// The right side is JSON if it parses as such (0, true, null, "quoted"), otherwise plain text. Numbers
// compare as numbers. An unquoted right side also equals the same text, so == 5 matches 5 and "5".
class Condition {
 public:
  static Result<Condition> parse(std::string_view text);

  bool holds(const nlohmann::json& value) const;
  bool is_about_a_number() const { return right_.is_number(); }
  const std::string& text() const { return text_; }  // as written

 private:
  enum class Op { equal, not_equal, less, less_equal, greater, greater_equal, contains, exists };

  bool equals(const nlohmann::json& value) const;

  Op op_ = Op::exists;
  nlohmann::json right_;
  std::string right_text_;
  std::string text_;
};

// A condition on the value at a JSON pointer. A missing value fails every condition, also !=.
class JsonCondition {
 public:
  static Result<JsonCondition> parse(std::string_view pointer, std::string_view condition);

  // Empty if it holds, otherwise the error: "/linkage_pct is 0, expected > 0".
  std::optional<std::string> complaint(const nlohmann::json& document) const;

 private:
  nlohmann::json::json_pointer pointer_;
  Condition condition_;
};

// The same on a header. A repeated header is read as a list (RFC 9110 section 5.3). A number on the right
// side is compared as a number if the value is one.
class HeaderCondition {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  static Result<HeaderCondition> parse(std::string_view name, std::string_view condition);

  // Empty if it holds, otherwise the error: "the header content-type is missing, expected contains json".
  std::optional<std::string> complaint(const Headers& headers) const;

 private:
  std::string name_;
  Condition condition_;
};

}  // namespace probegate::checks
