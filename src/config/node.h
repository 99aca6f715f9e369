// Node: one value of the configuration with its place, and what was read from it. Private to config/.
//
// Owns: its children. Invariant: the parsed half (kind, text, items, entries) is final once expansion is
// done; the read half (path, shown) grows while Fields reads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/problems.h"
#include "config/secrets.h"

namespace probegate::config {

class Node;

// One key somebody read: its name and effective value. The single source of the list of known keys, of
// `validate --print`, and of the test that holds the JSON Schema against the readers.
struct Shown {
  std::string key;
  std::string kind;  // "duration", "list", "section", ...
  std::optional<std::string>
      value;  // as YAML; empty: known, but not printed (the unused one of a _file pair)
  std::vector<std::string> allowed;  // choice: the words; integer: the least and the greatest
  // sections: names and mappings; section: one without a name; section_list: all without names
  std::vector<std::pair<std::string, std::shared_ptr<Node>>>
      children;             // owners: this and the Fields reading them
  std::string hidden = {};  // what was read where `value` does not show it; only ever compared
  bool printed = true;      // false: beside another key it would be a contradiction
};

class Node {
 public:
  enum class Kind { null, scalar, list, map };
  struct Entry {
    std::string key;
    std::shared_ptr<Node> value;  // owners: this entry, and every Fields that reads it
  };

  Kind kind = Kind::map;
  Mark mark;             // of the value
  Mark key_mark;         // of the key that names it; for an item of a list its own
  std::string variable;  // the environment variable it came from, when it came from no file
  bool broken = false;   // wrong and already reported: readers take the default and say nothing more
  bool open = false;     // its unknown keys are not reported, nobody could tell them
  bool absent = false;   // stands for a section that is not written

  std::string text;  // scalar, expanded
  std::string raw;   // the same as written, where that names variables
  std::vector<std::shared_ptr<Node>> items;
  std::vector<Entry> entries;

  std::string path;  // "checks.database"; set when a reader gets here
  std::vector<Shown> shown;
  std::vector<SecretFile> secret_files;

  Node* find(std::string_view key) const {
    for (const auto& entry : entries) {
      if (entry.key == key) return entry.value.get();
    }
    return nullptr;
  }
};

inline std::string join_path(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : std::string(path) + "." + std::string(key);
}

inline std::string item_path(std::string_view path, std::size_t index) {
  return std::string(path) + "[" + std::to_string(index) + "]";
}

}  // namespace probegate::config
