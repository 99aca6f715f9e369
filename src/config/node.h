// Node: one value of the configuration with its position, and a record of what was read. Private to config/.
//
// Owns: its children. Invariant: the parsed fields (kind, text, items, entries) are final after expansion;
// path and shown grow while Fields reads.
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

// One key that was read: its name and effective value. The list of known keys, `validate --print` and the
// test of the JSON Schema all use this record.
struct Shown {
  std::string key;
  std::string kind;  // "duration", "list", "section", ...
  std::optional<std::string>
      value;  // as YAML; empty: known, but not printed (the unused one of a _file pair)
  std::vector<std::string> allowed;  // choice: the words; integer: the least and the greatest
  // sections: names and mappings; section: one without a name; section_list: all without names
  std::vector<std::pair<std::string, std::shared_ptr<Node>>>
      children;             // owners: this and the Fields reading them
  std::string hidden = {};  // the read value where `value` hides it; only for comparison
  bool printed = true;      // false: it would contradict another printed key
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
  Mark key_mark;         // of its key; for a list item, its own
  std::string variable;  // the environment variable it came from; empty: a file
  bool broken = false;   // invalid and reported: reads return the default without another error
  bool open = false;     // unknown keys are not reported
  bool absent = false;   // placeholder for a section that is not in the file

  std::string text;  // scalar, expanded
  std::string raw;   // as written, if it references variables
  std::vector<std::shared_ptr<Node>> items;
  std::vector<Entry> entries;

  std::string path;  // "checks.database"; set when it is read
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
