// Parts that the JSON documents share.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "base/clock.h"
#include "health/check_result.h"
#include "health/readiness_json.h"

namespace probegate::health {

using Json = nlohmann::ordered_json;

// Replaces invalid UTF-8: error messages may hold bytes that a dependency sent.
std::string dump(const Json& json);

// Three decimals, or null.
Json millis_json(const std::optional<Duration>& d);
Json seconds_json(const std::optional<Duration>& d);

Json error_json(const std::optional<CheckError>& error, Details details);

}  // namespace probegate::health
