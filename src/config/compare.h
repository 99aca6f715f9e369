// What two configurations differ in. A reload keeps what asks the same question, and says which keys changed.
//
// The texts here hold secrets, as a new password is a change: they are compared and never shown. Names of
// keys are all that leaves.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace probegate::config {

class Node;

using Values = std::map<std::string, std::string>;  // "proxy.limits.connections" to its effective value

Values effective_values(const Node& root);

// What one check asks of its dependency: all of its keys but those that only say when it is asked and how
// the answers are judged.
std::string question_of(const Node& check);

// The keys that were added, removed or given another value, in order.
std::vector<std::string> changed_keys(const Values& before, const Values& after);

}  // namespace probegate::config
