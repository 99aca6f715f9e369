// What the log says of an event. Edges only: the attempts between them are in /status and in the metrics.
#pragma once

#include "base/log.h"
#include "health/event.h"

namespace probegate::app {

void log_event(Log& log, const health::Event& event);

}  // namespace probegate::app
