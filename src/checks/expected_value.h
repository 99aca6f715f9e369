// `expect` of a query: the expected value of the first field of the first row. Pure.
//
// A text or a condition as in expect_json: "42", ">= 42", "!= pending", "contains ready", "exists".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "checks/expectations.h"
#include "config/fields.h"

namespace probegate::checks {

class ExpectedValue {
 public:
  static Result<ExpectedValue> parse(std::string_view text);

  // Empty if it holds, otherwise the error: `the query gave "41", expected >= 42`. NULL and a missing row
  // fail every condition.
  std::optional<std::string> complaint(bool has_row, const std::optional<std::string>& value) const;

 private:
  std::string text_;
  std::optional<Condition> condition_;
};

// What every check of a database may be told to ask.
struct DatabaseQuery {
  std::optional<std::string> query;
  std::optional<ExpectedValue> expect;  // requires `query`
  bool writable = false;
};
void read_query(const config::Fields& fields, DatabaseQuery& asked);

}  // namespace probegate::checks
