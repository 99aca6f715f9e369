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

// The text between "${" and "}".
struct Reference {
  std::string_view name;
  std::string_view rest;  // ":-default", ":?message" or nothing
  bool well_formed() const {
    return valid_name(name) && (rest.empty() || rest.starts_with(":-") || rest.starts_with(":?")) &&
           rest.find("${") == rest.npos;
  }
};

Reference parse_reference(std::string_view body) {
  const auto colon = std::min(body.find(':'), body.size());
  return {body.substr(0, colon), body.substr(colon)};
}

bool usable(const Reference& reference, const Environment& environment) {
  const auto found = environment.find(reference.name);
  return found != environment.end() && (reference.rest.empty() || !found->second.empty());
}

Result<std::string> expand_variable(std::string_view body, const Environment& environment) {
  const Reference reference = parse_reference(body);
  const auto& [name, rest] = reference;
  if (!reference.well_formed()) {
    return failure(
        "malformed ${...}; allowed are ${VAR}, ${VAR:-default}, ${VAR:?message}, and $$ for a dollar sign");
  }
  if (usable(reference, environment)) return environment.find(name)->second;
  if (rest.starts_with(":-")) return undouble_dollars(rest.substr(2));
  const auto reason = rest.starts_with(":?") ? rest.substr(2) : std::string_view{};
  return failure("the environment variable " + std::string(name) + " is not set" +
                 (reason.empty() ? "; set it, or write ${" + std::string(name) + ":-default}"
                                 : ": " + undouble_dollars(reason)));
}

// Calls `visit` with every reference in the text; a malformed one is left to expand().
template <typename Visit>
void each_reference(std::string_view text, Visit visit) {
  for (auto dollar = text.find('$'); dollar < text.size(); dollar = text.find('$', dollar)) {
    text.remove_prefix(dollar);
    dollar = text.starts_with("$$") ? 2 : 1;
    const auto end = text.find('}');
    if (!text.starts_with("${") || end == std::string_view::npos) continue;
    if (const auto reference = parse_reference(text.substr(2, end - 2)); reference.well_formed())
      visit(reference);
    dollar = end;
  }
}

// Whether the text would expand if its missing variables were set.
bool only_lacks_variables(std::string_view text, const Environment& environment) {
  Environment complete = environment;
  each_reference(text, [&](const Reference& reference) {
    if (!usable(reference, environment)) complete.insert_or_assign(std::string(reference.name), "set");
  });
  return expand(text, complete).has_value();
}

void collect_variables(const Node& node, std::vector<Variable>& found) {
  each_reference(node.text, [&](const Reference& reference) {
    const bool required = !reference.rest.starts_with(":-");
    const auto known = std::find_if(found.begin(), found.end(),
                                    [&](const Variable& other) { return other.name == reference.name; });
    if (known == found.end()) {
      found.push_back({std::string(reference.name), required});
    } else {
      known->required = known->required || required;
    }
  });
  for (const auto& item : node.items) collect_variables(*item, found);
  for (const auto& entry : node.entries) collect_variables(*entry.value, found);
}

void expand_at(Node& node, const std::string& path, const Environment& environment, Problems& problems) {
  if (node.kind == Node::Kind::scalar && node.text.find('$') != std::string::npos) {
    auto expanded = expand(node.text, environment);
    node.broken = !expanded;
    if (expanded) {
      if (node.text.find("${") != std::string::npos) node.raw = node.text;
      node.text = std::move(*expanded);
    } else if (only_lacks_variables(node.text, environment)) {
      problems.add_absent(node.mark, path, expanded.error().message);
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
      if (end == std::string_view::npos)
        return failure("a ${ without its closing }; write $$ for a dollar sign");
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

std::vector<Variable> variables_of(const Node& root) {
  std::vector<Variable> found;
  collect_variables(root, found);
  return found;
}

void expand_tree(Node& node, const Environment& environment, Problems& problems) {
  expand_at(node, "", environment, problems);
}

}  // namespace probegate::config
