#include "config/misplaced.h"

#include <algorithm>
#include <utility>

#include "config/wrong_names.h"

namespace probegate::config {
namespace {

bool contains(const std::vector<std::string_view>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool may_hold_keys(const Node& node) { return node.kind == Node::Kind::map || node.kind == Node::Kind::null; }

bool looks_like_a_check(const Node& node) {
  return node.kind == Node::Kind::map && node.find("type") != nullptr;
}

void append(Node& parent, Node::Entry entry) {
  if (parent.find(entry.key) != nullptr) return;  // the duplicate was reported; the first key counts
  parent.kind = Node::Kind::map;
  parent.entries.push_back(std::move(entry));
}

class Mover {
 public:
  Mover(Node& root, const Vocabulary& vocabulary, Problems& problems)
      : root_(root),
        vocabulary_(vocabulary),
        problems_(problems),
        check_keys_(vocabulary.keys_of_any_type()) {}

  void run() {
    lower_keys(root_, vocabulary_.root(), "");
    if (auto* checks = root_.find("checks"); checks != nullptr && checks->kind == Node::Kind::map) {
      place_checks(*checks);
    }
    for (const auto& entry : std::vector<Node::Entry>(root_.entries)) {
      const Node* known = entry.key == "checks" ? nullptr : section_of(vocabulary_.root(), entry.key);
      if (known != nullptr) inside(*entry.value, *known, entry.key);
    }
  }

 private:
  void report(const Node::Entry& entry, std::string_view path, const std::string& message) {
    problems_.add(entry.value->key_mark, join_path(path, entry.key), message);
  }

  void inside(Node& node, const Node& known, const std::string& path) {
    if (node.kind != Node::Kind::map) return;
    lower_keys(node, known, path);
    raise_keys(node, known, path);
    for (const auto& entry : std::vector<Node::Entry>(node.entries)) {
      const Node* section = section_of(known, entry.key);
      if (section != nullptr) inside(*entry.value, *section, join_path(path, entry.key));
    }
  }

  // Moves keys that belong one level deeper, into the preceding section.
  void lower_keys(Node& node, const Node& known, const std::string& path) {
    std::vector<Node::Entry> stay;
    for (auto& entry : std::exchange(node.entries, {})) {
      const bool lowered = !knows(known, entry.key) && lower(stay, known, path, entry);
      if (!lowered) stay.push_back(std::move(entry));
    }
    node.entries = std::move(stay);
  }

  bool lower(const std::vector<Node::Entry>& before, const Node& known, const std::string& path,
             const Node::Entry& entry) {
    for (auto above = before.rbegin(); above != before.rend(); ++above) {
      if (&known == &vocabulary_.root() && above->key == "checks") {
        if (above == before.rbegin() && lower_name(*above->value, entry)) return true;
        if (lower_into_checks(*above->value, entry)) return true;
        continue;
      }
      const Node* section = section_of(known, above->key);
      if (section == nullptr || !may_hold_keys(*above->value) || !knows(*section, entry.key)) continue;
      report(entry, path, entry.key + " is a key of " + join_path(path, above->key) + ": indent it");
      append(*above->value, entry);
      return true;
    }
    return false;
  }

  // "redis:" on the level of `checks`, followed by its keys on the same level.
  bool lower_name(Node& checks, const Node::Entry& entry) {
    if (!may_hold_keys(checks) || entry.value->kind != Node::Kind::null) return false;
    std::vector<std::string_view> keys;
    for (const auto& shown : vocabulary_.root().shown) keys.emplace_back(shown.key);
    if (contains(check_keys_, entry.key) || !meant_key(entry.key, keys).empty()) return false;
    report(entry, "", entry.key + " is a check: indent it below checks");
    append(checks, entry);
    return true;
  }

  bool lower_into_checks(Node& checks, const Node::Entry& entry) {
    if (!may_hold_keys(checks)) return false;
    if (looks_like_a_check(*entry.value)) {
      report(entry, "", entry.key + " is a check: indent it below checks");
      append(checks, entry);
      return true;
    }
    if (!contains(check_keys_, entry.key)) return false;
    if (checks.entries.empty()) {
      report(entry, "",
             entry.key + " is a key of a check: add a check name below checks, and indent the key below it");
      return true;
    }
    const auto& check = checks.entries.back();
    if (!may_hold_keys(*check.value)) return false;
    report(entry, "", entry.key + " is a key of checks." + check.key + ": indent it");
    append(*check.value, entry);
    return true;
  }

  // Moves keys that belong to the top level or to the enclosing section.
  void raise_keys(Node& node, const Node& known, const std::string& path) {
    const auto dot = path.rfind('.');
    const std::string around = dot == std::string::npos ? "" : path.substr(0, dot);
    Node* parent = around.empty() ? &root_ : root_.find(around);
    const Node* known_parent = around.empty() ? &vocabulary_.root() : section_of(vocabulary_.root(), around);
    if (parent == nullptr || known_parent == nullptr) return;
    std::erase_if(node.entries, [&](const Node::Entry& entry) {
      if (knows(known, entry.key) || !knows(*known_parent, entry.key)) return false;
      report(entry, path,
             around.empty() ? entry.key + " is a top-level key: indent it less"
                            : entry.key + " is a key of " + around + ": indent it less");
      append(*parent, entry);
      return true;
    });
  }

  void place_checks(Node& checks) {
    std::vector<Node::Entry> stay;
    for (auto& entry : std::exchange(checks.entries, {})) {
      if (is_key_of_a_check(entry)) {
        lower_into_check(stay, entry);
      } else if (is_section(entry)) {
        report(entry, "checks", entry.key + " is a top-level key: indent it less");
        append(root_, entry);
      } else {
        stay.push_back(std::move(entry));
      }
    }
    checks.entries = std::move(stay);
    for (const auto& entry : std::vector<Node::Entry>(checks.entries)) inside_check(checks, entry);
  }

  // False for "database: postgres", which is a check's name and its type.
  bool is_key_of_a_check(const Node::Entry& entry) const {
    if (!contains(check_keys_, entry.key)) return false;
    if (entry.key != "type" && vocabulary_.check(entry.value->text) != nullptr) return false;
    return entry.value->kind == Node::Kind::map ? entry.value->find("type") == nullptr
                                                : entry.value->kind != Node::Kind::null;
  }

  // True for a section such as "log: {level: debug}" among the checks.
  bool is_section(const Node::Entry& entry) const {
    const Node* known = section_of(vocabulary_.root(), entry.key);
    const auto& keys = entry.value->entries;
    return known != nullptr && !keys.empty() && entry.value->find("type") == nullptr &&
           std::all_of(keys.begin(), keys.end(),
                       [&](const Node::Entry& key) { return knows(*known, key.key); });
  }

  void lower_into_check(const std::vector<Node::Entry>& before, const Node::Entry& entry) {
    if (before.empty() || !may_hold_keys(*before.back().value)) {
      return report(entry, "checks",
                    entry.key + " is a key of a check: add a check name, and indent the keys below it");
    }
    report(entry, "checks", entry.key + " is a key of checks." + before.back().key + ": indent it");
    append(*before.back().value, entry);
  }

  void inside_check(Node& checks, const Node::Entry& check) {
    Node& node = *check.value;
    if (node.kind != Node::Kind::map) return;
    const std::string path = "checks." + check.key;
    if (const Node* known = known_check(node)) lower_keys(node, *known, path);
    std::erase_if(node.entries, [&](const Node::Entry& entry) {
      if (contains(check_keys_, entry.key)) return false;
      if (looks_like_a_check(*entry.value)) {
        report(entry, path, entry.key + " is a check of its own: indent it as " + check.key);
        append(checks, entry);
        return true;
      }
      if (!knows(vocabulary_.root(), entry.key)) return false;
      report(entry, path, entry.key + " is a top-level key: indent it less");
      append(root_, entry);
      return true;
    });
  }

  const Node* known_check(const Node& check) const {
    const auto* type = check.find("type");
    return vocabulary_.check(type == nullptr ? "" : type->text);
  }

  Node& root_;
  const Vocabulary& vocabulary_;
  Problems& problems_;
  const std::vector<std::string_view> check_keys_;
};

void collect_places(const Node& known, const std::string& path, std::string_view key,
                    std::vector<std::string>& places) {
  for (const auto& shown : known.shown) {
    const Node* section = shown.key == "checks" && path.empty() ? nullptr : section_of(known, shown.key);
    if (section == nullptr) continue;
    const auto here = join_path(path, shown.key);
    if (knows(*section, key)) places.push_back(here);
    collect_places(*section, here, key, places);
  }
}

// "a check", or "a check of type redis or tcp".
std::string checks_with(std::string_view key, const Vocabulary& vocabulary) {
  std::string types;
  bool all = true;
  for (const auto type : vocabulary.types()) {
    const bool has = contains(vocabulary.keys_of_type(type), key);
    all = all && has;
    if (has) types.append(types.empty() ? "" : " or ").append(type);
  }
  return types.empty() ? "" : all ? "a check" : "a check of type " + types;
}

}  // namespace

void put_in_place(Node& root, const Vocabulary& vocabulary, Problems& problems) {
  Mover(root, vocabulary, problems).run();
}

std::string place_hint(std::string_view key, const Vocabulary& vocabulary) {
  std::vector<std::string> places;
  collect_places(vocabulary.root(), "", key, places);
  if (auto checks = checks_with(key, vocabulary); !checks.empty()) places.push_back(std::move(checks));
  std::string text;
  for (std::size_t i = 0; i < places.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == places.size() ? " and of " : ", of ") + places[i];
  }
  if (text.empty()) return knows(vocabulary.root(), key) ? "it is a top-level key" : "";
  return "it is a key of " + text;
}

}  // namespace probegate::config
