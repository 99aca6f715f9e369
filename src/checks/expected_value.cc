#include "checks/expected_value.h"

#include <algorithm>

#include "base/text.h"
#include "checks/presentable.h"

namespace probegate::checks {
namespace {

bool is_condition(std::string_view text) {
  constexpr std::string_view kSigns[] = {"==", "!=", "<", ">", "contains "};
  text = trim(text);
  return text == "exists" || std::any_of(std::begin(kSigns), std::end(kSigns),
                                         [&](const auto sign) { return text.starts_with(sign); });
}

// A number if the value parses as one and the condition compares numbers.
nlohmann::json as_json(const Condition& condition, const std::string& value) {
  if (condition.is_about_a_number()) {
    auto number = nlohmann::json::parse(trim(value), nullptr, false);
    if (number.is_number()) return number;
  }
  return value;
}

// PostgreSQL's booleans are t and f, MariaDB's 1 and 0.
std::string hint(const std::string& gave, std::string_view expected) {
  const auto about = [&](std::string_view word, std::string_view letter, std::string_view digit) {
    return expected.ends_with(word) && (gave == letter || gave == digit);
  };
  if (about("true", "t", "1") || about("false", "f", "0")) {
    return "; the database writes " + std::string(expected.ends_with("true") ? "true" : "false") + " as " +
           gave;
  }
  return "";
}

}  // namespace

Result<ExpectedValue> ExpectedValue::parse(std::string_view text) {
  ExpectedValue made;
  made.text_ = text;
  if (!is_condition(text)) return made;
  auto condition = Condition::parse(text);
  if (!condition) return failure(condition.error().message);
  made.condition_ = *std::move(condition);
  return made;
}

std::optional<std::string> ExpectedValue::complaint(bool has_row,
                                                    const std::optional<std::string>& value) const {
  if (value && (condition_ ? condition_->holds(as_json(*condition_, *value)) : *value == text_)) {
    return std::nullopt;
  }
  const std::string gave = !has_row ? "no row" : value ? checks::quoted(*value) : "NULL";
  return "the query gave " + gave + ", expected " +
         (condition_ ? condition_->text() : checks::quoted(text_)) + (value ? hint(*value, text_) : "");
}

namespace {

std::optional<ExpectedValue> read_expected_value(const config::Fields& fields) {
  const auto text = fields.optional_text("expect");
  if (!text) return std::nullopt;
  if (!fields.has("query")) fields.contradiction("expect", "needs a query");
  auto value = ExpectedValue::parse(*text);
  if (value) return *std::move(value);
  fields.problem("expect", value.error().message);
  return std::nullopt;
}

}  // namespace

void read_query(const config::Fields& fields, DatabaseQuery& asked) {
  asked.query = fields.private_text("query");
  asked.expect = read_expected_value(fields);
  asked.writable = fields.boolean("writable", false);
  if (asked.query && trim(*asked.query).empty()) fields.problem("query", "is empty");
}

}  // namespace probegate::checks
