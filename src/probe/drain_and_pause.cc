#include "probe/drain_and_pause.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace probegate::probe {

using health::Details;
using health::Json;

Json pause_json(const health::Snapshot& snapshot, Details details) {
  if (!snapshot.pause) return nullptr;
  Json json;
  if (details == Details::full) json["by"] = snapshot.pause->by;
  json["since"] = iso8601(snapshot.pause->since);
  json["until"] = iso8601(snapshot.pause->until);
  if (details == Details::full) json["message"] = snapshot.pause->message;
  return json;
}

Json drain_json(const health::Snapshot& snapshot, std::int64_t left, Details details) {
  if (!snapshot.drain) return nullptr;
  Json json;
  if (details == Details::full) json["by"] = snapshot.drain->by;
  json["since"] = iso8601(snapshot.drain->since);
  json["left"] = left;
  json["deadline"] = iso8601(snapshot.drain->deadline);
  json["serving"] = snapshot.drain->serving;
  json["cut"] = snapshot.drain->cut ? Json(*snapshot.drain->cut) : Json();
  return json;
}

std::string drain_or_pause_text(const health::Snapshot& snapshot, std::int64_t left, Details details) {
  const auto by = [&](const std::string& who) { return details == Details::full ? " by " + who : ""; };
  if (const auto& drain = snapshot.drain) {
    return "draining" + by(drain->by) + " until " + iso8601(drain->deadline) + ", " + std::to_string(left) +
           (left == 1 ? " session" : " sessions") + " left";
  }
  if (const auto& pause = snapshot.pause) {
    const bool why = details == Details::full && !pause->message.empty();
    return "paused" + by(pause->by) + " until " + iso8601(pause->until) + (why ? ": " + pause->message : "");
  }
  return {};
}

}  // namespace probegate::probe
