// Finds keys that are indented one level too little or too much. Each is reported with its correct place and
// moved there, so that the same run validates its value.
#pragma once

#include "config/node.h"
#include "config/vocabulary.h"

namespace probegate::config {

void put_in_place(Node& root, const Vocabulary& vocabulary, Problems& problems);

// "it is a key of gate" for a key that is valid elsewhere, or nothing.
std::string place_hint(std::string_view key, const Vocabulary& vocabulary);

}  // namespace probegate::config
