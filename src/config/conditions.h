// Conditions on the counts of a time span, such as "refused_ratio>0.01" or "rss_bytes>100MiB". Pure.
//
// `report --fail-on` and the thresholds of alerts use the same names with the same meaning. Alerts do not
// have the names that only an outside observer can measure: restarts and unreachable time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace probegate::config {

// The counts of one time span.
struct Span {
  Duration length{0};
  double messages = 0;
  double requests = 0;
  double refused = 0;
  double upgrades_accepted = 0;
  double upgrades_refused = 0;
  double upgrades_failed = 0;
  double tunnel_lost = 0;
  double check_failures = 0;
  double backend_restarts = 0;
  double tunnels = 0;
  std::optional<double> rss_bytes = {};
  std::optional<double> restarts = {};
  std::optional<double> unreachable_seconds = {};

  double a_minute(double count) const;  // `count` per minute of the span
  double refused_ratio() const;         // refused / requests; 0 without requests
};

struct Condition {
  enum class Comparison { above, at_least, below, at_most, equal };

  std::string text;  // as written
  std::string name;
  Comparison comparison = Comparison::above;
  double limit = 0;

  std::optional<double> value(const Span& span) const;  // empty: unknown, and no condition holds
  bool holds(const Span& span) const;
  bool looks_down() const;  // true when low values are bad

  bool operator==(const Condition&) const = default;
};

enum class Observer { self, remote };

// The names allowed in a condition, for messages and help.
std::string condition_names(Observer observer);

Result<Condition> parse_condition(std::string_view text, Observer observer);
// Separated by commas; empty for an empty text.
Result<std::vector<Condition>> parse_conditions(std::string_view text, Observer observer);

}  // namespace probegate::config
