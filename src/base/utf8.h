// Text from peers as valid UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace probegate {

// What is no UTF-8 is replaced by U+FFFD, so that pages, events and logs stay readable for whoever decodes
// them.
std::string valid_utf8(std::string_view text);

}  // namespace probegate
