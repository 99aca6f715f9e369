#include "config/unknown_keys.h"

#include <algorithm>

#include "config/misplaced.h"
#include "config/wrong_names.h"

namespace probegate::config {
namespace {

std::string hint(std::string_view key, const std::vector<Shown>& known, const Vocabulary& vocabulary) {
  std::vector<std::string_view> keys;
  std::string all;
  for (const auto& candidate : known) {
    keys.emplace_back(candidate.key);
    all.append(all.empty() ? "" : ", ").append(candidate.key);
  }
  if (const auto meant = meant_key(key, keys); !meant.empty())
    return "unknown key, did you mean " + std::string(meant) + "?";
  const auto place = place_hint(key, vocabulary);
  return (place.empty() ? "unknown key," : "unknown key here, " + place + ";") + " allowed are " + all;
}

}  // namespace

void report_unknown_keys(const Node& node, const Vocabulary& vocabulary, Problems& problems) {
  const auto is_known = [&](const std::string& key) {
    return std::any_of(node.shown.begin(), node.shown.end(),
                       [&](const Shown& shown) { return shown.key == key; });
  };
  for (const auto& entry : node.entries) {
    if (!node.open && !is_known(entry.key)) {
      problems.add(entry.value->key_mark, join_path(node.path, entry.key),
                   hint(entry.key, node.shown, vocabulary));
    }
  }
  for (const auto& shown : node.shown) {
    for (const auto& [name, child] : shown.children) report_unknown_keys(*child, vocabulary, problems);
  }
}

}  // namespace probegate::config
