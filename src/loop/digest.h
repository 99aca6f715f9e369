// SHA-256, for texts that only have to be told apart.
#pragma once

#include <string>
#include <string_view>

namespace probegate::loop {

std::string sha256_hex(std::string_view text);

}  // namespace probegate::loop
