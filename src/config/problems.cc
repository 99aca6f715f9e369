#include "config/problems.h"

#include <algorithm>
#include <tuple>

namespace probegate::config {

void Problems::add(Mark mark, std::string_view key, std::string_view message) {
  std::string text = source_ + ":";
  if (mark.line > 0) text += std::to_string(mark.line) + ":" + std::to_string(mark.column) + ":";
  text += " ";
  if (!key.empty()) text.append(key).append(": ");
  text += message;
  lines_.push_back({mark, std::move(text)});
}

void Problems::add_absent(Mark mark, std::string_view key, std::string_view message) {
  if (!rendering()) add(mark, key, message);
}

void Problems::add_variable(std::string_view variable, std::string_view message) {
  lines_.push_back({{}, "environment: " + std::string(variable) + ": " + std::string(message)});
}

std::vector<std::string> Problems::sorted() const {
  auto lines = lines_;
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
    return std::tie(a.mark.line, a.mark.column) < std::tie(b.mark.line, b.mark.column);
  });
  std::vector<std::string> texts;
  for (auto& line : lines) texts.push_back(std::move(line.text));
  return texts;
}

}  // namespace probegate::config
