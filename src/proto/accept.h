// Chooses between two representations by the client's Accept field (RFC 9110 section 12.5.1).
#pragma once

#include <string_view>

namespace probegate::proto {

// True if Accept names the media type `special` (with this `version` parameter or none) with a weight no
// lower than that of `ordinary`. Wildcards never select `special`: a client that sends */* gets `ordinary`.
bool prefers(std::string_view accept, std::string_view special, std::string_view version,
             std::string_view ordinary);

}  // namespace probegate::proto
