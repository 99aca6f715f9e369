// The reads of Fields for more than one scalar: lists, maps and sections.
#include <algorithm>

#include "base/redaction.h"
#include "config/describe.h"
#include "config/effective.h"
#include "config/fields.h"
#include "config/node.h"
#include "config/references.h"
#include "config/scalars.h"
#include "config/secrets.h"
#include "config/wrong_names.h"

namespace probegate::config {

std::optional<std::vector<std::string>> Fields::list(std::string_view key, std::string_view what) const {
  const Node* node = node_->find(key);
  if (is_null(node) || node->broken) return std::nullopt;
  if (node->kind != Node::Kind::list) {
    expected(key, what);
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < node->items.size(); ++i) {
    Node& item = *node->items[i];
    if (item.kind != Node::Kind::scalar) {
      item_problem(key, i, "each item must be a string, not " + describe(item));
      item.broken = true;
    }
    texts.push_back(item.text);  // an invalid item is kept, so that indexes match the file
  }
  return texts;
}

std::vector<std::string> Fields::text_list(std::string_view key, std::vector<std::string> fallback) const {
  auto value = list(key, "a list such as [a, b]").value_or(std::move(fallback));
  record({std::string(key), "list", yaml_list(value), {}, {}});
  return value;
}

std::optional<std::vector<std::string>> Fields::text_list_or_auto(std::string_view key) const {
  const Node* node = node_->find(key);
  const bool is_auto = is_null(node) || (node->kind == Node::Kind::scalar && node->text == "auto");
  const auto value = is_auto ? std::nullopt : list(key, "auto or a list such as [a, b]");
  record({std::string(key), "list_or_auto", value ? yaml_list(*value) : "auto", {}, {}});
  return value;
}

std::vector<std::string> Fields::choices(std::string_view key, std::vector<std::string> fallback,
                                         std::initializer_list<std::string_view> allowed) const {
  const auto what = "a list of " + joined(allowed);
  std::vector<std::string> value;
  if (const auto words = list(key, what)) {
    for (std::size_t i = 0; i < words->size(); ++i) {
      const auto& word = (*words)[i];
      if (std::find(allowed.begin(), allowed.end(), word) == allowed.end()) {
        item_problem(
            key, i,
            quote(word) + " is unknown" + allowed_hint(word, std::span(allowed.begin(), allowed.size())));
      } else if (std::find(value.begin(), value.end(), word) != value.end()) {
        item_problem(key, i, "duplicate entry " + quote(word));
      } else {
        value.push_back(word);
      }
    }
  } else {
    value = std::move(fallback);
  }
  record({std::string(key), "choices", yaml_list(value), {allowed.begin(), allowed.end()}, {}});
  return value;
}

std::vector<std::pair<std::string, std::string>> Fields::text_map(std::string_view key) const {
  return pairs(key, false);
}

std::vector<std::pair<std::string, std::string>> Fields::headers(std::string_view key) const {
  return pairs(key, true);
}

std::vector<Endpoint> Fields::endpoints(std::string_view key, std::string_view fallback, Least least) const {
  const std::string kind = least == Least::none ? "endpoints_or_none" : "endpoints";
  const Node* node = node_->find(key);
  if (!node || node->kind != Node::Kind::list) {
    auto value = endpoint(key, fallback);
    record({std::string(key), kind, yaml_value(value.to_string()), {}, {}});
    return {std::move(value)};
  }
  std::vector<Endpoint> value;
  std::vector<std::string> shown;
  const auto texts =
      list(key, "a list of host:port, [v6]:port or unix:/path").value_or(std::vector<std::string>{});
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto parsed = Endpoint::parse(texts[i]);
    if (!parsed) {
      item_problem(key, i, quote(texts[i]) + ": " + parsed.error().message);
      parsed = Endpoint{};  // keeps the indexes
    }
    shown.push_back(parsed->to_string());
    value.push_back(std::move(*parsed));
  }
  if (node->items.empty() && least == Least::one)
    problem(key, "an empty list; at least one address is needed");
  record({std::string(key), kind, yaml_list(shown), {}, {}});
  return value;
}

std::vector<std::pair<std::string, std::string>> Fields::pairs(std::string_view key, bool headers) const {
  constexpr std::string_view kTwin = "_file";
  std::vector<std::pair<std::string, std::string>> value;
  std::string shown;
  std::string hidden;
  Node* map = node_->find(key);
  if (!is_null(map) && !map->broken && map->kind != Node::Kind::map)
    expected(key, "a mapping of names to strings");
  const Fields entries(map && map->kind == Node::Kind::map ? section(key) : Fields());
  for (const auto& entry : entries.node_->entries) {
    const bool twin = headers && entry.key.ends_with(kTwin);
    const auto name = twin ? entry.key.substr(0, entry.key.size() - kTwin.size()) : entry.key;
    if (headers && !is_http_token(name)) {
      entries.contradiction(entry.key, "not a valid header name; letters, digits and -._ are allowed");
      continue;
    }
    if (is_null(entry.value.get())) {
      entries.expected(entry.key, "a string");
      continue;
    }
    const auto text =
        twin ? entries.read_secret(name, "secret", hide_in_url) : entries.optional_text(entry.key);
    if (!text) continue;
    if (headers && text->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      entries.problem(entry.key, "a header value must be a single line");
      continue;
    }
    const Node& written = *entry.value;
    const bool secret = !twin && headers && !is_harmless_header(name);
    if (secret && has_placeholder(written.text)) {
      entries.problem(entry.key, kFillIn);
      continue;
    }
    shown += (shown.empty() ? "{" : ", ") + yaml_key(entry.key) + ": " +
             (secret ? reloadable(written, [](std::string_view) { return std::string(kHidden); })
                     : yaml_value(written.text));
    value.emplace_back(name, *text);
    hidden += name + ": " + *text + "\n";
  }
  record({std::string(key), headers ? "headers" : "map", shown.empty() ? "{}" : shown + "}", {}, {}, hidden});
  return value;
}

Fields Fields::section(std::string_view key) const {
  for (const auto& known : node_->shown) {
    if (known.key == key && known.kind == "section" && !known.children.empty()) {
      return {known.children.front().second, problems_};
    }
  }
  std::shared_ptr<Node> child;
  for (const auto& entry : node_->entries) {
    if (entry.key == key) child = entry.value;
  }
  if (is_null(child.get()) || child->kind != Node::Kind::map) {
    const bool wrong = !is_null(child.get());
    if (wrong && !child->broken) expected(key, "a mapping of keys to values");
    auto empty = std::make_shared<Node>();
    empty->key_mark = child ? child->key_mark : node_->key_mark;
    empty->broken = wrong;
    empty->absent = true;
    child = std::move(empty);
  }
  child->path = join_path(node_->path, key);
  record({std::string(key), "section", std::nullopt, {}, {{"", child}}});
  return {child, problems_};
}

std::optional<Fields> Fields::optional_section(std::string_view key) const {
  if (has(key)) return section(key);
  record({std::string(key), "section", "null", {}, {}});
  return std::nullopt;
}

std::vector<std::pair<std::string, Fields>> Fields::sections(std::string_view key) const {
  const Fields all = section(key);
  std::vector<std::pair<std::string, Fields>> value;
  Shown shown{std::string(key), "sections", "{}", {}, {}};
  for (const auto& entry : std::vector<Node::Entry>(all.node_->entries)) {
    value.emplace_back(entry.key, all.section(entry.key));
    shown.children.emplace_back(entry.key, value.back().second.node_);
  }
  record(std::move(shown));
  return value;
}

std::vector<Fields> Fields::section_list(std::string_view key) const {
  std::vector<Fields> value;
  Shown shown{std::string(key), "section_list", "[]", {}, {}};
  const Node* node = node_->find(key);
  if (!is_null(node) && node->kind != Node::Kind::list) expected(key, "a list of mappings");
  for (std::size_t i = 0; node && i < node->items.size(); ++i) {
    const auto& item = node->items[i];
    item->path = item_path(join_path(node_->path, key), i);
    if (item->kind != Node::Kind::map) {
      report(*item, item->path, "must be a mapping of keys to values, not " + describe(*item), false);
      continue;
    }
    value.emplace_back(Fields(item, problems_));
    shown.children.emplace_back("", item);
  }
  record(std::move(shown));
  return value;
}

}  // namespace probegate::config
