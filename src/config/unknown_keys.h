// Reports every key of the file that no reader asked for, with the nearest known key as a hint.
#pragma once

#include "config/node.h"

namespace probegate::config {

void report_unknown_keys(const Node& root, Problems& problems);

}  // namespace probegate::config
