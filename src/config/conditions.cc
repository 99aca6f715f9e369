#include "config/conditions.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "config/scalars.h"

namespace probegate::config {
namespace {

using Value = std::optional<double>;

struct Quantity {
  const char* name;
  Value (*of)(const Span& span);
  bool remote_only = false;
};

constexpr Quantity kQuantities[] = {
    {"refused_ratio", [](const Span& span) { return Value(span.refused_ratio()); }},
    {"check_failures", [](const Span& span) { return Value(span.check_failures); }},
    {"rss_bytes", [](const Span& span) { return span.rss_bytes; }},
    {"messages_per_minute", [](const Span& span) { return Value(span.a_minute(span.messages)); }},
    {"tunnel_lost", [](const Span& span) { return Value(span.tunnel_lost); }},
    {"refused_per_minute", [](const Span& span) { return Value(span.a_minute(span.refused)); }},
    {"requests_per_minute", [](const Span& span) { return Value(span.a_minute(span.requests)); }},
    {"tunnels", [](const Span& span) { return Value(span.tunnels); }},
    {"upgrades_accepted", [](const Span& span) { return Value(span.upgrades_accepted); }},
    {"upgrades_refused", [](const Span& span) { return Value(span.upgrades_refused); }},
    {"upgrades_failed", [](const Span& span) { return Value(span.upgrades_failed); }},
    {"backend_restarts", [](const Span& span) { return Value(span.backend_restarts); }},
    {"restarts", [](const Span& span) { return span.restarts; }, true},
    {"unreachable_seconds", [](const Span& span) { return span.unreachable_seconds; }, true},
};

struct Operator {
  std::string_view text;
  Condition::Comparison comparison;
};

constexpr Operator kOperators[] = {
    // longer operators first
    {">=", Condition::Comparison::at_least}, {"<=", Condition::Comparison::at_most},
    {"==", Condition::Comparison::equal},    {">", Condition::Comparison::above},
    {"<", Condition::Comparison::below},
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
  if (const auto size = parse_size(text)) return static_cast<double>(*size);
  return std::nullopt;
}

}  // namespace

double Span::a_minute(double count) const {
  return length > Duration::zero() ? count * 60 / to_seconds(length) : 0;
}

// Connections refused at the connection limit have no request, so `refused` may exceed `requests`.
double Span::refused_ratio() const {
  const double all = std::max(requests, refused);
  return all > 0 ? refused / all : 0;
}

std::optional<double> Condition::value(const Span& span) const {
  const auto* quantity = find_quantity(name);
  return quantity != nullptr ? quantity->of(span) : std::nullopt;
}

bool Condition::holds(const Span& span) const {
  const auto seen = value(span);
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

bool Condition::looks_down() const {
  return comparison == Comparison::below || comparison == Comparison::at_most;
}

std::string condition_names(Observer observer) {
  std::string names;
  for (const auto& quantity : kQuantities) {
    if (quantity.remote_only && observer == Observer::self) continue;
    names += (names.empty() ? "" : ", ") + std::string(quantity.name);
  }
  return names;
}

Result<Condition> parse_condition(std::string_view text, Observer observer) {
  const std::string quoted = "'" + std::string(text) + "'";
  const auto at = text.find_first_of("<>=");
  const auto* op =
      at == std::string_view::npos
          ? std::end(kOperators)
          : std::find_if(std::begin(kOperators), std::end(kOperators), [&](const Operator& candidate) {
              return text.substr(at).starts_with(candidate.text);
            });
  if (op == std::end(kOperators)) {
    return failure(quoted + " is not NAME>NUMBER; operators are > >= < <= ==, names are " +
                   condition_names(observer));
  }
  const auto name = trim(text.substr(0, at));
  const auto* quantity = find_quantity(name);
  if (quantity == nullptr) {
    return failure(quoted + ": unknown name '" + std::string(name) + "'; allowed are " +
                   condition_names(observer));
  }
  if (quantity->remote_only && observer == Observer::self) {
    return failure(quoted + ": only `probegate report` can measure this; allowed here are " +
                   condition_names(observer));
  }
  const auto limit = parse_limit(trim(text.substr(at + op->text.size())));
  if (!limit) {
    return failure(quoted + ": expected a number after " + std::string(op->text) +
                   ", such as 0.01, 1000 or 100MiB");
  }
  return Condition{std::string(text), std::string(name), op->comparison, *limit};
}

Result<std::vector<Condition>> parse_conditions(std::string_view text, Observer observer) {
  std::vector<Condition> conditions;
  if (trim(text).empty()) return conditions;
  for (const auto part : split(text, ',')) {
    auto condition = parse_condition(trim(part), observer);
    if (!condition) return failure(condition.error().message);
    conditions.push_back(std::move(*condition));
  }
  return conditions;
}

}  // namespace probegate::config
