// Runs a command in the place of this process, as `exec` of a shell does.
#pragma once

#include <string>
#include <vector>

namespace probegate::cli {

// With the environment that probegate was started with, and the default action for every signal that it has
// changed. Returns only if that fails, with the reason printed: 127 if the program is not found, otherwise
// 126.
int execute(const std::vector<std::string>& command);

}  // namespace probegate::cli
