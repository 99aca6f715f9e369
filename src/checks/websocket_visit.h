// The websocket check for `smoke`: tests one URL step by step and waits for the answer to its Close.
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
  std::vector<std::string> headers;       // "NAME:VALUE", whitespace around the value is removed
  std::vector<std::string> subprotocols;  // in the order offered
};

// Passes after a verified 101, the Pong to our Ping, and a Close with 1000 in answer to ours. It
// has no deadline. The error names the wrong argument but repeats no header value; those are among
// the plan's secrets.
Result<CheckPlan> plan_websocket_visit(const WebSocketVisit& visit, VisitSteps on_step);

}  // namespace probegate::checks
