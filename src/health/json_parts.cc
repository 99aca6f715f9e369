#include "health/json_parts.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace probegate::health {
namespace {

double three_decimals(double value) { return std::round(value * 1000) / 1000; }

}  // namespace

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json millis_json(const std::optional<Duration>& d) {
  return d ? Json(three_decimals(to_millis(*d))) : Json();
}
Json seconds_json(const std::optional<Duration>& d) {
  return d ? Json(three_decimals(to_seconds(*d))) : Json();
}

Json error_json(const std::optional<CheckError>& error, Details details) {
  if (!error) return nullptr;
  Json json{{"kind", to_string(error->kind)}};
  if (details == Details::full) json["message"] = error->message;
  if (!error->sqlstate.empty()) json["sqlstate"] = error->sqlstate;
  if (details == Details::full && !error->missing.empty()) json["missing"] = error->missing;
  return json;
}

}  // namespace probegate::health
