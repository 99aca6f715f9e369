// What a dependency said, made fit to be shown.
#pragma once

#include <string>
#include <string_view>

#include "base/redaction.h"

namespace probegate::checks {

// Without the secrets, on one line, without control characters, at most some 500 bytes. Invalid UTF-8 is left
// to the writers of JSON, which replace it.
std::string presentable(std::string_view message, const Secrets& secrets);

// The first `most` printable bytes of what a peer said, on one line; blanks and control characters in a row
// are one blank.
std::string excerpt(std::string_view words, std::size_t most);

// Words of a peer inside a sentence of ours: quoted, and cut off after some 80 bytes.
std::string quoted(std::string_view words);

}  // namespace probegate::checks
