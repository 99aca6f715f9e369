// Templates of manifests: `@NAME@` becomes a value. A line with only `@NAME@` becomes a block of lines with
// its indentation, or is removed if the block is empty.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace probegate {

std::string fill_template(std::string_view text, const std::map<std::string_view, std::string>& values);

std::string quoted_yaml(std::string_view text);  // one scalar, in double quotes

}  // namespace probegate
