// What clients get, in words and as JSON: upgrades and requests of the last minute, the auth breaker, the
// connection limit. The gate may be open and every client refused all the same. Pure.
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
// "19 open, 19 in force, 10000 configured"; empty where no limit is known.
std::string connections_text(const metrics::ConnectionLimit& limit);

// Sentences that say why a state may not be called good though the gate is open; empty: clients are served.
std::vector<std::string> concerns(const TrafficReport& report);

nlohmann::ordered_json last_minute_json(const metrics::LastMinute& minute);
nlohmann::ordered_json connections_json(const metrics::ConnectionLimit& limit);

}  // namespace probegate::probe
