// What `--version` says.
#pragma once

#include <string>

namespace probegate::cli {

// "probegate 0.1.0 (commit 0123456789ab, static)" and the types of checks that this program has.
std::string version_text();

}  // namespace probegate::cli
