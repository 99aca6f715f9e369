// A visit: the websocket check as a client that looks at one URL, step by step, and waits for the answer to
// its Close.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "checks/check.h"

namespace probegate::checks {

enum class VisitStep { connected, upgraded, pong, closed };
using VisitSteps = std::function<void(VisitStep)>;

struct WebSocketVisit {
  std::string url;                        // ws://, wss:// or the same as http(s)://
  std::vector<std::string> headers;       // "NAME:VALUE", blanks around the value are dropped
  std::vector<std::string> subprotocols;  // in the order in which they are offered
};

// Passes after a verified 101, the Pong to our Ping, and the Close with 1000 that answers ours. No deadline
// of its own. The error names what of the visit is wrong and repeats no value of a header; those are among
// the plan's secrets.
Result<CheckPlan> plan_websocket_visit(const WebSocketVisit& visit, VisitSteps on_step);

}  // namespace probegate::checks
