// Parses YAML text into a tree of Nodes. Only this module uses yaml-cpp.
//
// Rejected, with line and column: several documents, anchors, aliases, tags, duplicate keys (yaml-cpp keeps
// both), control characters (yaml-cpp takes 0x04 for the end of the file), unterminated quotes (it accepts
// them), text that is not UTF-8, too many or too deeply nested values.
#pragma once

#include <memory>
#include <string>

#include "config/node.h"

namespace probegate::config {

inline constexpr std::size_t kMaxDocumentBytes = 1024 * 1024;

// An empty document is an empty mapping. Null when parsing failed; `problems` then has the cause.
std::shared_ptr<Node> parse_document(const std::string& text, Problems& problems);

}  // namespace probegate::config
