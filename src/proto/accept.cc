#include "proto/accept.h"

#include <charconv>
#include <optional>

#include "base/text.h"

namespace probegate::proto {
namespace {

// Cuts the text before the first `separator` off `rest`.
std::string_view next(std::string_view& rest, char separator) {
  const auto end = rest.find(separator);
  const std::string_view part = trim(rest.substr(0, end));
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return part;
}

std::string_view unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

double weight(std::string_view text) {
  double q = 0;  // an invalid weight counts as 0
  std::from_chars(text.data(), text.data() + text.size(), q);
  return q;
}

// The highest weight of exactly this type; empty if it is not named. An empty `version` matches any.
std::optional<double> quality(std::string_view accept, std::string_view type, std::string_view version) {
  std::optional<double> best;
  while (!accept.empty()) {
    std::string_view range = next(accept, ',');
    if (!iequals(next(range, ';'), type)) continue;
    double q = 1;
    bool matches = true;
    while (!range.empty()) {
      std::string_view value = next(range, ';');
      const std::string_view name = next(value, '=');
      if (iequals(name, "q")) q = weight(value);
      if (iequals(name, "version") && !version.empty()) matches = matches && unquoted(value) == version;
    }
    if (matches && (!best || q > *best)) best = q;
  }
  return best;
}

}  // namespace

bool prefers(std::string_view accept, std::string_view special, std::string_view version,
             std::string_view ordinary) {
  const auto q = quality(accept, special, version);
  return q && *q > 0 && *q >= quality(accept, ordinary, {}).value_or(0);
}

}  // namespace probegate::proto
