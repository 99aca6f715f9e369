// What a client's Accept field prefers (RFC 9110 section 12.5.1), as far as two representations go.
#pragma once

#include <string_view>

namespace probegate::probe {

// True when the client names the media type `special` (with no `version` parameter or this one) and weighs it
// no less than `ordinary`. Wildcards never choose the special one: who sends */* gets the ordinary.
bool prefers(std::string_view accept, std::string_view special, std::string_view version,
             std::string_view ordinary);

}  // namespace probegate::probe
