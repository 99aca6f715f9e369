// Vocabulary: every key that a file may have, at its place. Used for hints about misplaced keys.
//
// Built by reading a file that has every optional section, so that no separate list of keys is needed.
// Private to config/.
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
  const Node* check(std::string_view type) const;  // a check of that type; null: no such type
  std::vector<std::string_view> keys_of_type(std::string_view type) const;  // with the common ones
  std::vector<std::string_view> keys_of_any_type() const;

 private:
  std::shared_ptr<Node> root_;  // owners: this, and the readers while it is made
};

// The known keys under `key`: of a section, of a list item, or of a check of any type. Null: no such section.
const Node* section_of(const Node& known, std::string_view key);

bool knows(const Node& known, std::string_view key);

}  // namespace probegate::config
