#include "config/unknown_keys.h"

#include <algorithm>
#include <numeric>

namespace probegate::config {
namespace {

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::exchange(last, row);
  }
  return last.back();
}

std::string hint(std::string_view key, const std::vector<Shown>& known) {
  const Shown* nearest = nullptr;
  std::size_t distance = std::max<std::size_t>(1, key.size() / 3) + 1;
  std::string all;
  for (const auto& candidate : known) {
    const auto edits = edit_distance(key, candidate.key);
    if (edits < distance) {
      distance = edits;
      nearest = &candidate;
    }
    all.append(all.empty() ? "" : ", ").append(candidate.key);
  }
  if (nearest) return "unknown key, did you mean " + nearest->key + "?";
  return "unknown key, allowed are " + all;
}

}  // namespace

void report_unknown_keys(const Node& node, Problems& problems) {
  const auto is_known = [&](const std::string& key) {
    return std::any_of(node.shown.begin(), node.shown.end(),
                       [&](const Shown& shown) { return shown.key == key; });
  };
  for (const auto& entry : node.entries) {
    if (!node.open && !is_known(entry.key)) {
      problems.add(entry.value->key_mark, join_path(node.path, entry.key), hint(entry.key, node.shown));
    }
  }
  for (const auto& shown : node.shown) {
    for (const auto& [name, child] : shown.children) report_unknown_keys(*child, problems);
  }
}

}  // namespace probegate::config
