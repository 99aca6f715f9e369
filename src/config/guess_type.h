// What type a check may be whose `type` is missing or unknown, by everything else that it says.
#pragma once

#include <string>

#include "config/fields.h"
#include "config/vocabulary.h"

namespace probegate::config {

// By the word itself, the scheme of its URL, its name or its keys; empty: nobody can tell.
std::string guess_type(const std::string& name, const Fields& check, const Vocabulary& vocabulary);

}  // namespace probegate::config
