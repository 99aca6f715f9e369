// Reports every key of the file that was not read, with the nearest known key as a hint.
#pragma once

#include "config/node.h"
#include "config/vocabulary.h"

namespace probegate::config {

void report_unknown_keys(const Node& root, const Vocabulary& vocabulary, Problems& problems);

}  // namespace probegate::config
