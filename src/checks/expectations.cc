#include "checks/expectations.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "checks/presentable.h"

namespace probegate::checks {

using nlohmann::json;

namespace {

std::string shown(const json& value) {
  if (value.is_string()) return checks::quoted(value.get_ref<const std::string&>());
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  return value.dump();
}

// Exact for all JSON numbers here: nlohmann's own comparison casts -1 to 2^64-1 if the other
// side is unsigned.
long double number(const json& value) {
  if (value.is_number_unsigned()) return static_cast<long double>(value.get<std::uint64_t>());
  if (value.is_number_integer()) return static_cast<long double>(value.get<std::int64_t>());
  return value.get<double>();
}

}  // namespace

Result<std::pair<int, int>> StatusSet::parse_range(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = parse_decimal<int>(trim(text.substr(0, dash)));
  const auto last = dash == std::string_view::npos ? first : parse_decimal<int>(trim(text.substr(dash + 1)));
  if (!first || !last || *first < 100 || *last > 599 || *first > *last) {
    return failure("is neither a status from 100 to 599 nor a range such as 200-299");
  }
  return std::pair(*first, *last);
}

StatusSet StatusSet::read(const config::Fields& fields, const char* key, std::vector<std::string> fallback) {
  StatusSet set;
  const auto ranges = fields.text_list(key, std::move(fallback));
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (const auto range = parse_range(ranges[i])) {
      set.add(*range);
    } else {
      fields.item_problem(key, i, range.error().message);
    }
  }
  if (ranges.empty()) fields.problem(key, "allows no status at all");
  return set;
}

bool StatusSet::contains(int status) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const auto& range) { return range.first <= status && status <= range.second; });
}

std::string StatusSet::to_string() const {
  std::string text;
  for (const auto& [first, last] : ranges_) {
    if (!text.empty()) text += " or ";
    text += std::to_string(first);
    if (last != first) text += "-" + std::to_string(last);
  }
  return text;
}

Result<Condition> Condition::parse(std::string_view text) {
  static constexpr std::pair<std::string_view, Op> kOps[] = {
      // Longer operators first: "<=" begins with "<".
      {"==", Op::equal}, {"!=", Op::not_equal}, {"<=", Op::less_equal},      {">=", Op::greater_equal},
      {"<", Op::less},   {">", Op::greater},    {"contains ", Op::contains},
  };
  Condition made;
  text = trim(text);
  made.text_ = text;
  if (text == "exists") return made;
  const auto op = std::find_if(std::begin(kOps), std::end(kOps),
                               [&](const auto& row) { return text.starts_with(row.first); });
  if (op == std::end(kOps))
    return failure("a condition must begin with == != < <= > >= or contains, or be exists");
  made.op_ = op->second;
  made.right_text_ = trim(text.substr(op->first.size()));
  if (made.right_text_.empty()) return failure("nothing to compare with after " + std::string(op->first));
  made.right_ = json::parse(made.right_text_, nullptr, false);
  if (made.right_.is_discarded()) made.right_ = made.right_text_;
  const bool orders = made.op_ == Op::less || made.op_ == Op::less_equal || made.op_ == Op::greater ||
                      made.op_ == Op::greater_equal;
  if (orders && !made.right_.is_number()) return failure(std::string(op->first) + " compares numbers only");
  return made;
}

bool Condition::holds(const json& value) const {
  switch (op_) {
    case Op::exists: return true;
    case Op::equal: return equals(value);
    case Op::not_equal: return !equals(value);
    case Op::less: return value.is_number() && number(value) < number(right_);
    case Op::less_equal: return value.is_number() && number(value) <= number(right_);
    case Op::greater: return value.is_number() && number(value) > number(right_);
    case Op::greater_equal: return value.is_number() && number(value) >= number(right_);
    case Op::contains: {
      const auto& part = right_.is_string() ? right_.get_ref<const std::string&>() : right_text_;
      if (value.is_string()) return value.get_ref<const std::string&>().find(part) != std::string::npos;
      return value.is_array() &&
             std::any_of(value.begin(), value.end(), [&](const json& item) { return equals(item); });
    }
  }
  return false;
}

bool Condition::equals(const json& value) const {
  if (value.is_number() && right_.is_number()) return number(value) == number(right_);
  if (value == right_) return true;
  return value.is_string() && !right_.is_string() && value.get_ref<const std::string&>() == right_text_;
}

Result<JsonCondition> JsonCondition::parse(std::string_view pointer, std::string_view condition) {
  JsonCondition made;
  try {
    made.pointer_ = json::json_pointer(std::string(pointer));
  } catch (const json::parse_error&) {
    return failure(checks::quoted(pointer) +
                   " is not a JSON pointer, such as /status or /items/0/name (~0 is ~, ~1 is /)");
  }
  auto parsed = Condition::parse(condition);
  if (!parsed) return failure(parsed.error().message);
  made.condition_ = *std::move(parsed);
  return made;
}

std::optional<std::string> JsonCondition::complaint(const json& document) const {
  const json* value = nullptr;
  try {
    if (document.contains(pointer_)) value = &document.at(pointer_);
  } catch (const json::exception&) {  // an array index that is not a number or out of range
  }
  const std::string name = pointer_.empty() ? "the document" : pointer_.to_string();
  if (value == nullptr) return name + " is missing, expected " + condition_.text();
  if (condition_.holds(*value)) return std::nullopt;
  return name + " is " + shown(*value) + ", expected " + condition_.text();
}

Result<HeaderCondition> HeaderCondition::parse(std::string_view name, std::string_view condition) {
  constexpr std::string_view kSeparators = "()<>@,;:\\\"/[]?={} \t\r\n";
  if (name.empty() || name.find_first_of(kSeparators) != std::string_view::npos) {
    return failure("is not a valid header name");
  }
  auto parsed = Condition::parse(condition);
  if (!parsed) return failure(parsed.error().message);
  HeaderCondition made;
  made.name_ = name;
  made.condition_ = *std::move(parsed);
  return made;
}

std::optional<std::string> HeaderCondition::complaint(const Headers& headers) const {
  std::optional<std::string> value;
  for (const auto& [name, text] : headers) {
    if (iequals(name, name_)) value = value ? *value + ", " + text : text;
  }
  if (!value) return "the header " + name_ + " is missing, expected " + condition_.text();
  const auto as_number = json::parse(*value, nullptr, false);
  const bool numbers = condition_.is_about_a_number() && as_number.is_number();
  if (condition_.holds(numbers ? as_number : json(*value))) return std::nullopt;
  return "the header " + name_ + " is " + checks::quoted(*value) + ", expected " + condition_.text();
}

}  // namespace probegate::checks
