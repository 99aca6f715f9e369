// Words for error messages about values.
#pragma once

#include <string>
#include <string_view>

#include "config/node.h"

namespace probegate::config {

inline bool is_null(const Node* node) { return !node || node->kind == Node::Kind::null; }

// Short and printable. Passwords of URLs are hidden, also where no URL is expected.
std::string quote(std::string_view text);

std::string describe(const Node& node);  // "a list", "a mapping", "empty", or the quoted scalar

template <typename Words>
std::string joined(const Words& words) {
  std::string out;
  for (const auto& word : words) out.append(out.empty() ? "" : ", ").append(word);
  return out;
}

}  // namespace probegate::config
