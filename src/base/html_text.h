// Text as content or attribute of an HTML page. Hand-written: none of the libraries in use escapes HTML.
#pragma once

#include <string>
#include <string_view>

namespace probegate {

// Control characters become blanks, invalid UTF-8 becomes U+FFFD.
std::string escaped_html(std::string_view text);

}  // namespace probegate
