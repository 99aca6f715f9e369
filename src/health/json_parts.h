// Pieces that the JSON documents share.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "base/clock.h"
#include "health/check_result.h"
#include "health/readiness_json.h"

namespace probegate::health {

using Json = nlohmann::ordered_json;

// Error messages carry what a dependency sent, which need not be UTF-8; what is not is replaced.
std::string dump(const Json& json);

// Three decimals, or null.
Json millis_json(const std::optional<Duration>& d);
Json seconds_json(const std::optional<Duration>& d);

Json error_json(const std::optional<CheckError>& error, Details details);

}  // namespace probegate::health
