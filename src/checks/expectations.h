// What an HTTP answer must be: a status from a set, and conditions on headers and on a JSON body. Pure.
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
  // A list of them; what is wrong with it is reported to `fields`.
  static StatusSet read(const config::Fields& fields, const char* key, std::vector<std::string> fallback);

  void add(std::pair<int, int> range) { ranges_.push_back(range); }
  bool contains(int status) const;
  std::string to_string() const;  // "200-299 or 404"

 private:
  std::vector<std::pair<int, int>> ranges_;
};

// "> 0", "== ok", "contains json" or "exists": what one value must be.
//
// The right side is JSON where it reads as such (0, true, null, "quoted"), else plain text. Numbers compare
// as numbers; a plain right side equals a text of the same letters, so == 5 takes 5 and "5".
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

// A condition on what a JSON pointer leads to. A missing value fails every condition, != too: a field that is
// gone proves nothing.
class JsonCondition {
 public:
  static Result<JsonCondition> parse(std::string_view pointer, std::string_view condition);

  // Nothing when it holds, else what is wrong: "/linkage_pct is 0, expected > 0".
  std::optional<std::string> complaint(const nlohmann::json& document) const;

 private:
  nlohmann::json::json_pointer pointer_;
  Condition condition_;
};

// The same on a header. One that comes several times is read as their list (RFC 9110 section 5.3); a number
// on the right side compares with it as with a number, where it is one.
class HeaderCondition {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  static Result<HeaderCondition> parse(std::string_view name, std::string_view condition);

  // Nothing when it holds, else what is wrong: "the header content-type is missing, expected contains json".
  std::optional<std::string> complaint(const Headers& headers) const;

 private:
  std::string name_;
  Condition condition_;
};

}  // namespace probegate::checks
