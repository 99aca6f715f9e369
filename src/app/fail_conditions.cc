#include "app/fail_conditions.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "config/scalars.h"

namespace probegate::app {
namespace {

struct Quantity {
  const char* name;
  std::optional<double> (*of)(const Row& row);
};

constexpr const char* kUnreachableSeconds = "unreachable_seconds";

constexpr Quantity kQuantities[] = {
    {"refused_ratio", [](const Row& row) { return std::optional(row.refused_ratio()); }},
    {"check_failures", [](const Row& row) { return std::optional(row.failures_total()); }},
    {"rss_bytes", [](const Row& row) { return row.rss_bytes; }},
    {"messages_per_minute", [](const Row& row) { return std::optional(row.messages_per_minute()); }},
    {"tunnel_lost", [](const Row& row) { return std::optional(row.count(kTunnelLost)); }},
    {"tunnels", [](const Row& row) { return std::optional(row.tunnels); }},
    {"upgrades_accepted", [](const Row& row) { return std::optional(row.count(kAccepted)); }},
    {"upgrades_refused", [](const Row& row) { return std::optional(row.count(kUpgradesRefused)); }},
    {"upgrades_failed", [](const Row& row) { return std::optional(row.count(kFailed)); }},
    {"backend_restarts", [](const Row& row) { return std::optional(row.count(kBackendRestarts)); }},
    {"restarts", [](const Row& row) { return std::optional(static_cast<double>(row.restarts)); }},
    {kUnreachableSeconds, [](const Row& row) { return std::optional(to_seconds(row.unreachable)); }},
};

struct Operator {
  std::string_view text;
  FailCondition::Comparison comparison;
};

constexpr Operator kOperators[] = {
    // the longer first
    {">=", FailCondition::Comparison::at_least}, {"<=", FailCondition::Comparison::at_most},
    {"==", FailCondition::Comparison::equal},    {">", FailCondition::Comparison::above},
    {"<", FailCondition::Comparison::below},
};

const Quantity* find_quantity(std::string_view name) {
  const auto* found = std::find_if(std::begin(kQuantities), std::end(kQuantities),
                                   [&](const Quantity& quantity) { return name == quantity.name; });
  return found == std::end(kQuantities) ? nullptr : found;
}

std::optional<double> parse_limit(std::string_view text) {
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc{} && end == text.data() + text.size() && std::isfinite(number)) return number;
  if (const auto size = config::parse_size(text)) return static_cast<double>(*size);
  return std::nullopt;
}

Result<FailCondition> parse_one(std::string_view text) {
  const std::string quoted = "'" + std::string(text) + "'";
  const auto at = text.find_first_of("<>=");
  const auto* op =
      at == std::string_view::npos
          ? std::end(kOperators)
          : std::find_if(std::begin(kOperators), std::end(kOperators), [&](const Operator& candidate) {
              return text.substr(at).starts_with(candidate.text);
            });
  if (op == std::end(kOperators)) {
    return failure(quoted + " is not NAME>NUMBER; allowed are > >= < <= ==, and the names " +
                   fail_condition_names());
  }
  const auto name = trim(text.substr(0, at));
  if (find_quantity(name) == nullptr) {
    return failure(quoted + ": there is no '" + std::string(name) + "'; the names are " +
                   fail_condition_names());
  }
  const auto limit = parse_limit(trim(text.substr(at + op->text.size())));
  if (!limit)
    return failure(quoted + ": after " + std::string(op->text) +
                   " comes a number, such as 0.01, 1000 or 100MiB");
  return FailCondition{std::string(text), std::string(name), op->comparison, *limit};
}

}  // namespace

std::optional<double> FailCondition::value(const Row& row) const {
  const auto* quantity = find_quantity(name);
  return quantity != nullptr ? quantity->of(row) : std::nullopt;
}

bool FailCondition::holds(const Row& row) const {
  const auto seen = value(row);
  if (!seen) return false;
  switch (comparison) {
    case Comparison::above: return *seen > limit;
    case Comparison::at_least: return *seen >= limit;
    case Comparison::below: return *seen < limit;
    case Comparison::at_most: return *seen <= limit;
    case Comparison::equal: return *seen == limit;
  }
  return false;
}

std::string fail_condition_names() {
  std::string names;
  for (const auto& quantity : kQuantities) names += (names.empty() ? "" : ", ") + std::string(quantity.name);
  return names;
}

Result<std::vector<FailCondition>> parse_fail_conditions(std::string_view text) {
  std::vector<FailCondition> conditions;
  if (trim(text).empty()) return conditions;
  for (const auto part : split(text, ',')) {
    auto condition = parse_one(trim(part));
    if (!condition) return failure(condition.error().message);
    conditions.push_back(std::move(*condition));
  }
  return conditions;
}

std::vector<FailCondition> with_reachability(std::vector<FailCondition> conditions) {
  const bool asked = std::any_of(conditions.begin(), conditions.end(), [](const FailCondition& condition) {
    return condition.name == kUnreachableSeconds;
  });
  if (!asked) {
    conditions.push_back(
        {std::string(kUnreachableSeconds) + ">0", kUnreachableSeconds, FailCondition::Comparison::above, 0});
  }
  return conditions;
}

}  // namespace probegate::app
