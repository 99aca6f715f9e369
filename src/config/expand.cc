#include "config/expand.h"

#include <algorithm>

namespace probegate::config {
namespace {

bool name_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool valid_name(std::string_view name) {
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
         std::all_of(name.begin(), name.end(), name_character);
}

std::string undouble_dollars(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text.substr(i).starts_with("$$")) ++i;
  }
  return out;
}

// `body` is what stands between "${" and "}".
Result<std::string> expand_variable(std::string_view body, const Environment& environment) {
  const auto colon = body.find(':');
  const auto name = body.substr(0, colon);
  const auto rest = colon == std::string_view::npos ? std::string_view{} : body.substr(colon);
  const bool fallback = rest.starts_with(":-");
  const bool required = rest.starts_with(":?");
  if (!valid_name(name) || (!rest.empty() && !fallback && !required) || rest.find("${") != rest.npos) {
    return failure(
        "malformed ${...}; allowed are ${VAR}, ${VAR:-default}, ${VAR:?message}, and $$ for a dollar");
  }
  const auto found = environment.find(name);
  const bool usable = found != environment.end() && (rest.empty() || !found->second.empty());
  if (usable) return found->second;
  if (fallback) return undouble_dollars(rest.substr(2));
  const auto reason = required ? rest.substr(2) : std::string_view{};
  return failure("the environment variable " + std::string(name) + " is not set" +
                 (reason.empty() ? "; set it, or write ${" + std::string(name) + ":-default}"
                                 : ": " + undouble_dollars(reason)));
}

void expand_at(Node& node, const std::string& path, const Environment& environment, Problems& problems) {
  if (node.kind == Node::Kind::scalar && node.text.find('$') != std::string::npos) {
    auto expanded = expand(node.text, environment);
    node.broken = !expanded;
    if (expanded) {
      node.text = std::move(*expanded);
    } else {
      problems.add(node.mark, path, expanded.error().message);
    }
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    expand_at(*node.items[i], item_path(path, i), environment, problems);
  }
  for (const auto& entry : node.entries) {
    expand_at(*entry.value, join_path(path, entry.key), environment, problems);
  }
}

}  // namespace

Result<std::string> expand(std::string_view text, const Environment& environment) {
  std::string out;
  while (!text.empty()) {
    const auto dollar = std::min(text.find('$'), text.size());
    out += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.starts_with("${")) {
      const auto end = text.find('}');
      if (end == std::string_view::npos) return failure("a ${ without its }; write $$ for a dollar");
      auto value = expand_variable(text.substr(2, end - 2), environment);
      if (!value) return value;
      out += *value;
      text.remove_prefix(end + 1);
    } else if (!text.empty()) {
      out += '$';
      text.remove_prefix(text.starts_with("$$") ? 2 : 1);
    }
  }
  return out;
}

void expand_tree(Node& node, const Environment& environment, Problems& problems) {
  expand_at(node, "", environment, problems);
}

}  // namespace probegate::config
