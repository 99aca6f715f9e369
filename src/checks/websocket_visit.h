// A visit: the websocket check as a client that looks at one URL, step by step, and waits for the answer to
// its Close.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "checks/check.h"

namespace probegate::checks {

enum class VisitStep { connected, upgraded, pong, closed };
using VisitSteps = std::function<void(VisitStep)>;

// `url` is ws://, wss:// or the same as http(s)://. Passes after a verified 101, the Pong to our Ping, and
// the Close with 1000 that answers ours. No deadline of its own.
Result<CheckPlan> plan_websocket_visit(const std::string& url, VisitSteps on_step);

}  // namespace probegate::checks
