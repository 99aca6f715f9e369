#include "config/vocabulary.h"

#include <algorithm>

#include "config/read_config.h"

namespace probegate::config {
namespace {

std::shared_ptr<Node> mapping() { return std::make_shared<Node>(); }

std::shared_ptr<Node> text(std::string_view value) {
  auto node = std::make_shared<Node>();
  node->kind = Node::Kind::scalar;
  node->text = value;
  return node;
}

std::vector<std::string_view> keys_of(const Node& node) {
  std::vector<std::string_view> keys;
  for (const auto& shown : node.shown) keys.emplace_back(shown.key);
  return keys;
}

const Shown* find(const Node& known, std::string_view key) {
  const auto found = std::find_if(known.shown.begin(), known.shown.end(),
                                  [&](const Shown& shown) { return shown.key == key; });
  return found == known.shown.end() ? nullptr : &*found;
}

}  // namespace

Vocabulary::Vocabulary(const CheckTypes& types) : root_(mapping()) {
  auto checks = mapping();
  for (const auto& type : types.names) {
    auto check = mapping();
    check->entries.push_back({"type", text(type)});
    check->entries.push_back({"tls", mapping()});  // a section that is read only if it is present
    checks->entries.push_back({type, std::move(check)});
  }
  auto auth = mapping();
  auth->entries.push_back({"bypass", mapping()});
  auto alerts = mapping();
  alerts->kind = Node::Kind::list;
  alerts->items.push_back(mapping());
  alerts->items.front()->entries.push_back({"tls", mapping()});
  root_->entries = {{"checks", std::move(checks)}, {"auth", std::move(auth)}, {"alerts", std::move(alerts)}};
  read_config(Fields(root_, std::make_shared<Problems>("")), {}, types, nullptr);
}

std::vector<std::string_view> Vocabulary::types() const {
  std::vector<std::string_view> names;
  for (const auto& [name, check] : find(*root_, "checks")->children) names.emplace_back(name);
  return names;
}

const Node* Vocabulary::check(std::string_view type) const {
  for (const auto& [name, check] : find(*root_, "checks")->children) {
    if (name == type) return check.get();
  }
  return nullptr;
}

std::vector<std::string_view> Vocabulary::keys_of_type(std::string_view type) const {
  const Node* known = check(type);
  return known == nullptr ? std::vector<std::string_view>() : keys_of(*known);
}

std::vector<std::string_view> Vocabulary::keys_of_any_type() const {
  std::vector<std::string_view> keys;
  for (const auto type : types()) {
    for (const auto key : keys_of_type(type)) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  return keys;
}

const Node* section_of(const Node& known, std::string_view key) {
  const auto* shown = find(known, key);
  return shown == nullptr || shown->children.empty() ? nullptr : shown->children.front().second.get();
}

bool knows(const Node& known, std::string_view key) { return find(known, key) != nullptr; }

}  // namespace probegate::config
