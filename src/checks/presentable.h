// Makes messages of a dependency safe to show.
#pragma once

#include <string>
#include <string_view>

#include "base/redaction.h"

namespace probegate::checks {

// Masks secrets, joins lines, removes control characters, and cuts at about 500 bytes. Invalid UTF-8 is
// replaced later, when JSON is written.
std::string presentable(std::string_view message, const Secrets& secrets);

// The first `most` printable bytes of a peer's text, on one line; a sequence of whitespace and control
// characters becomes one space.
std::string excerpt(std::string_view words, std::size_t most);

// Text of a peer for use in a message: quoted, and cut after about 80 bytes.
std::string quoted(std::string_view words);

}  // namespace probegate::checks
