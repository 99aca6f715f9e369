// Conditions on a span of time, such as "refused_ratio>0.01" or "rss_bytes>100MiB". Pure.
//
// One vocabulary with one meaning, for `report --fail-on` and for the thresholds of alerts. What only
// somebody outside can see, that the process was replaced or did not answer, is not for alerts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace probegate::config {

// What was counted within it.
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

  double a_minute(double count) const;  // scaled where the span is not a minute
  double refused_ratio() const;         // of all requests; 0 without requests
};

struct Condition {
  enum class Comparison { above, at_least, below, at_most, equal };

  std::string text;  // as written
  std::string name;
  Comparison comparison = Comparison::above;
  double limit = 0;

  std::optional<double> value(const Span& span) const;  // empty: unknown there, and then nothing holds
  bool holds(const Span& span) const;
  bool looks_down() const;  // it is the low values that are bad

  bool operator==(const Condition&) const = default;
};

enum class Observer { self, remote };

// The names that a condition may have, for messages and help.
std::string condition_names(Observer observer);

Result<Condition> parse_condition(std::string_view text, Observer observer);
// Joined by commas; none for an empty text.
Result<std::vector<Condition>> parse_conditions(std::string_view text, Observer observer);

}  // namespace probegate::config
