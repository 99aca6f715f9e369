// Keys that stand one level too high or too low, as a slip of the indentation leaves them: each is reported
// with the place where it belongs, and moved there, so that its value is read and judged in the same run.
#pragma once

#include "config/node.h"
#include "config/vocabulary.h"

namespace probegate::config {

void put_in_place(Node& root, const Vocabulary& vocabulary, Problems& problems);

// " it is a key of gate" for a key that is known elsewhere alone, or nothing.
std::string place_hint(std::string_view key, const Vocabulary& vocabulary);

}  // namespace probegate::config
