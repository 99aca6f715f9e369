// Text as JSON, for where no document may be built: whoever runs out of memory here gets an exception, while
// a document of nlohmann's allocates in its destructor, which cannot throw.
#pragma once

#include <string>
#include <string_view>

namespace probegate {

// Quoted and escaped. What is no UTF-8 is replaced by U+FFFD.
void append_json_text(std::string& out, std::string_view text);

// As JSON writes a number: always with a point or an exponent; what is none is `null`.
void append_json_number(std::string& out, double value);

}  // namespace probegate
