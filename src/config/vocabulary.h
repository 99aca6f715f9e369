// Vocabulary: every key that a file may have, at its place. For hints about keys that stand at a wrong one.
//
// Made by the readers themselves, from a file in which every optional section stands, so that there is no
// list of keys besides them. Private to config/.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"
#include "config/node.h"

namespace probegate::config {

class Vocabulary {
 public:
  explicit Vocabulary(const CheckTypes& types);

  const Node& root() const { return *root_; }
  std::vector<std::string_view> types() const;
  const Node* check(std::string_view type) const;  // one of that type; null: no such type
  std::vector<std::string_view> keys_of_type(std::string_view type) const;  // the common ones too
  std::vector<std::string_view> keys_of_any_type() const;

 private:
  std::shared_ptr<Node> root_;  // owners: this, and the readers while it is made
};

// The mapping under `key`, as the readers know it: of a section, of one item of a list, of one check of any
// type. Null: no such section.
const Node* section_of(const Node& known, std::string_view key);

bool knows(const Node& known, std::string_view key);

}  // namespace probegate::config
