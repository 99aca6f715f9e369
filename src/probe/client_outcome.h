// What clients get, as text and as JSON: upgrades and requests of the last minute, the auth breaker, the
// connection limit. Needed because clients may be refused even though the gate is open. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "probe/source.h"

namespace probegate::probe {

// "3 accepted, 37 refused (37 auth_unavailable), 13 failed (13 backend_5xx)"
std::string upgrades_text(const metrics::LastMinute& minute);
// "12 2xx, 0 3xx, 1 4xx, 40 5xx"
std::string requests_text(const metrics::LastMinute& minute);
// "19 open, limit in force 19 of 10000"; empty if no limit is known.
std::string connections_text(const metrics::ConnectionLimit& limit);

// Reasons why clients are not served well even if the gate is open, as sentences; empty if there are none.
std::vector<std::string> concerns(const TrafficReport& report);

nlohmann::ordered_json last_minute_json(const metrics::LastMinute& minute);
nlohmann::ordered_json connections_json(const metrics::ConnectionLimit& limit);

}  // namespace probegate::probe
