// How a value that holds a secret is printed so that the file loads again: by the ${...} that the source had.
// Private to config/.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "config/node.h"

namespace probegate::config {

using Hide = std::function<std::string(std::string_view)>;

// As YAML: the value itself where `hide` takes nothing from it, otherwise its source where that holds no
// secret, as "redis://${USER}:${PASSWORD}@h", otherwise what `hide` leaves.
std::string reloadable(const Node& node, const Hide& hide);

// Whether *** stands where `hide` has taken a secret: such a text was printed and is not the value.
bool has_placeholder(std::string_view text);

inline constexpr std::string_view kFillIn =
    "*** stands where a secret was not printed; write the value here or ${VARIABLE}, or name its file with "
    "the key's _file twin where it has one";

}  // namespace probegate::config
