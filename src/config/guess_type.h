// Guesses the type of a check whose `type` is missing or unknown from its other keys.
#pragma once

#include <string>

#include "config/fields.h"
#include "config/vocabulary.h"

namespace probegate::config {

// From the unknown word, the scheme of the URL, the check's name or its keys; empty: no guess.
std::string guess_type(const std::string& name, const Fields& check, const Vocabulary& vocabulary);

}  // namespace probegate::config
