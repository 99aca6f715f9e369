#include "base/template_text.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace probegate {
namespace {

std::string fill_line(std::string line, const std::map<std::string_view, std::string>& values) {
  for (const auto& [name, value] : values) {
    const std::string mark = "@" + std::string(name) + "@";
    for (auto at = line.find(mark); at != std::string::npos; at = line.find(mark, at + value.size())) {
      line.replace(at, mark.size(), value);
    }
  }
  return line;
}

}  // namespace

std::string fill_template(std::string_view text, const std::map<std::string_view, std::string>& values) {
  std::string out;
  if (text.ends_with('\n')) text.remove_suffix(1);
  for (const auto line : split(text, '\n')) {
    const auto body = trim(line);
    const bool alone = body.size() > 2 && body.starts_with('@') && body.ends_with('@');
    const auto block = alone ? values.find(body.substr(1, body.size() - 2)) : values.end();
    if (block == values.end()) {
      out += fill_line(std::string(line), values) + "\n";
      continue;
    }
    if (block->second.empty()) continue;
    const auto indent = line.substr(0, line.size() - body.size());
    for (const auto inner : split(block->second, '\n')) out.append(indent).append(inner).append("\n");
  }
  return out;
}

std::string quoted_yaml(std::string_view text) { return nlohmann::json(text).dump(); }

}  // namespace probegate
