// Expands ${VAR}, ${VAR:-default}, ${VAR:?message} and $$ in values. Done after parsing, so that a value can
// never become YAML syntax.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/environment.h"
#include "config/node.h"

namespace probegate::config {

// As in a shell, `:-` and `:?` treat an empty variable as unset. Any other `$` is literal.
Result<std::string> expand(std::string_view text, const Environment& environment);

// The variables referenced in an unexpanded tree, each once, in file order.
std::vector<Variable> variables_of(const Node& root);

// Expands every scalar value of the tree, but no keys.
void expand_tree(Node& node, const Environment& environment, Problems& problems);

}  // namespace probegate::config
