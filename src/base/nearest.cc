#include "base/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace probegate {

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

std::string snake_case(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool capital = c >= 'A' && c <= 'Z';
    const bool inside_a_word = capital && i > 0 && text[i - 1] >= 'a' && text[i - 1] <= 'z';
    if (inside_a_word) out += '_';
    out += capital ? static_cast<char>(c - 'A' + 'a') : c == '-' ? '_' : c;
  }
  return out;
}

std::string_view nearest_word(std::string_view written, std::span<const std::string_view> words) {
  constexpr std::size_t kLongest = 64;  // longer words are not compared
  if (written.empty() || written.size() > kLongest) return {};
  const auto plain = snake_case(written);
  std::string_view nearest;
  std::size_t distance = std::max<std::size_t>(1, plain.size() / 3) + 1;
  for (const auto word : words) {
    const auto edits = edit_distance(plain, snake_case(word));
    // If the edits replace all letters, the words are not similar.
    if (edits >= distance || edits >= word.size()) continue;
    distance = edits;
    nearest = word;
  }
  return nearest;
}

}  // namespace probegate
