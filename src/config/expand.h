// ${VAR}, ${VAR:-default}, ${VAR:?message} and $$ in values. After parsing, so that a value can never become
// syntax.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/environment.h"
#include "config/node.h"

namespace probegate::config {

// As in a shell, `:-` and `:?` take an empty variable for an unset one. A `$` before anything else is itself.
Result<std::string> expand(std::string_view text, const Environment& environment);

// The variables that the values of an unexpanded tree name, each once, in the order of the file.
std::vector<Variable> variables_of(const Node& root);

// Every scalar value of the tree; keys are left alone.
void expand_tree(Node& node, const Environment& environment, Problems& problems);

}  // namespace probegate::config
