// Appends JSON text without building a document. Out of memory is an exception here, while a document of
// nlohmann allocates in its destructor, which cannot throw.
#pragma once

#include <string>
#include <string_view>

namespace probegate {

// Quoted and escaped. Invalid UTF-8 is replaced by U+FFFD.
void append_json_text(std::string& out, std::string_view text);

// As a JSON number, always with a decimal point or an exponent; NaN and infinity become `null`.
void append_json_number(std::string& out, double value);

}  // namespace probegate
