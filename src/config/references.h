// Prints a value that contains a secret so that the file can be loaded again: with the ${...} from the
// source. Private to config/.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "config/node.h"

namespace probegate::config {

using Hide = std::function<std::string(std::string_view)>;

// As YAML: the value itself if `hide` changes nothing; otherwise its source if that contains no secret, such
// as "redis://${USER}:${PASSWORD}@h"; otherwise the result of `hide`.
std::string reloadable(const Node& node, const Hide& hide);

// Whether the text contains *** in place of a secret: then it was printed by `hide` and is not the value.
bool has_placeholder(std::string_view text);

inline constexpr std::string_view kFillIn =
    "*** replaces a secret that was not printed; write the value or ${VARIABLE} here, or use "
    "the key's _file variant if it has one";

}  // namespace probegate::config
