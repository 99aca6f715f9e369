// SHA-256, to distinguish texts.
#pragma once

#include <string>
#include <string_view>

namespace probegate::loop {

std::string sha256_hex(std::string_view text);

}  // namespace probegate::loop
