// The output of `--version`.
#pragma once

#include <string>

namespace probegate::cli {

// "probegate 0.1.0 (commit 0123456789ab, static)" and the check types that are built in.
std::string version_text();

}  // namespace probegate::cli
