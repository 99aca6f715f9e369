#include "config/compare.h"

#include <algorithm>

#include "config/node.h"

namespace probegate::config {
namespace {

// The keys that set when a check runs and how its results count. They may change without resetting the
// check's state or its connection.
constexpr std::string_view kJudgement[] = {"affects", "needs",     "interval", "startup_interval",
                                           "timeout", "rise",      "fall",     "initial_delay",
                                           "slow",    "stable_for"};

void collect(const Node& node, const std::string& path, Values& values) {
  for (const auto& shown : node.shown) {
    const auto here = join_path(path, shown.key);
    std::size_t index = 0;
    for (const auto& [name, child] : shown.children) {
      if (shown.kind == "section_list") {
        collect(*child, item_path(here, index++), values);
      } else {
        collect(*child, name.empty() ? here : join_path(here, name), values);
      }
    }
    if (shown.kind == "sections") {
      for (const auto& [name, child] : shown.children) values[here] += name + " ";  // their order
    } else if (shown.kind != "section") {
      values[here] = shown.value.value_or("") + "\n" + shown.hidden;
    }
  }
}

}  // namespace

Values effective_values(const Node& root) {
  Values values;
  collect(root, "", values);
  return values;
}

std::string question_of(const Node& check) {
  std::string question;
  for (const auto& [key, value] : effective_values(check)) {
    const bool judgement =
        std::find(std::begin(kJudgement), std::end(kJudgement), key) != std::end(kJudgement);
    if (!judgement) question += key + "=" + value + "\n";
  }
  // An empty section may differ from an absent one: with `tls: {}` a tcp check uses TLS.
  for (const auto& entry : check.entries) {
    if (entry.value->kind == Node::Kind::map) question += entry.key + "\n";
  }
  return question;
}

std::vector<std::string> changed_keys(const Values& before, const Values& after) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : before) {
    const auto other = after.find(key);
    if (other == after.end() || other->second != value) keys.push_back(key);
  }
  for (const auto& [key, value] : after) {
    if (!before.contains(key)) keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace probegate::config
