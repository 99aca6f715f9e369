#include "config/guess_type.h"

#include <algorithm>

#include "config/wrong_names.h"

namespace probegate::config {
namespace {

bool contains(const std::vector<std::string_view>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// "postgresql+asyncpg://..." means "postgres".
std::string_view of_scheme(std::string_view url, const std::vector<std::string_view>& types) {
  const auto end = url.find("://");
  if (end == std::string_view::npos) return {};
  const auto scheme = url.substr(0, std::min(end, url.find('+')));
  const auto meant = meant_value(scheme, types);
  return meant;
}

// The type that has all of the check's known keys, if there is only one.
std::string_view of_keys(const Fields& check, const Vocabulary& vocabulary) {
  const auto any = vocabulary.keys_of_any_type();
  std::string_view found;
  for (const auto type : vocabulary.types()) {
    const auto own = vocabulary.keys_of_type(type);
    const auto keys = check.keys();
    const bool fits = std::all_of(keys.begin(), keys.end(), [&](const std::string& key) {
      return contains(own, key) || !contains(any, key);
    });
    if (!fits) continue;
    if (!found.empty()) return {};
    found = type;
  }
  return found;
}

}  // namespace

std::string guess_type(const std::string& name, const Fields& check, const Vocabulary& vocabulary) {
  const auto types = vocabulary.types();
  for (const auto* key : {"type", "kind", "driver"}) {
    if (const auto meant = meant_value(check.written(key), types); !meant.empty()) return std::string(meant);
  }
  for (const auto* key : {"url", "dsn", "uri", "address"}) {
    if (const auto meant = of_scheme(check.written(key), types); !meant.empty()) return std::string(meant);
  }
  if (check.keys().empty()) return {};
  if (const auto only = of_keys(check, vocabulary); !only.empty()) return std::string(only);
  const auto named = meant_value(name, types);
  const auto own = vocabulary.keys_of_type(named);
  const auto keys = check.keys();
  const bool fits =
      std::any_of(keys.begin(), keys.end(), [&](const std::string& key) { return contains(own, key); });
  return fits ? std::string(named) : std::string();
}

}  // namespace probegate::config
