// The differences between two configurations. A reload keeps the state of checks with the same target, and
// reports which keys changed.
//
// The values here contain secrets, because a new password is a change. They are only compared; only names of
// keys are shown.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace probegate::config {

class Node;

using Values = std::map<std::string, std::string>;  // "proxy.limits.connections" to its effective value

Values effective_values(const Node& root);

// What one check asks its dependency: all of its keys except those that set when it runs and how
// its results count.
std::string question_of(const Node& check);

// The keys that were added, removed or changed, in order.
std::vector<std::string> changed_keys(const Values& before, const Values& after);

}  // namespace probegate::config
