#include "health/event.h"

namespace probegate::health {

std::string_view to_string(EventKind kind) {
  switch (kind) {
    case EventKind::start: return "start";
    case EventKind::gate: return "gate";
    case EventKind::check: return "check";
    case EventKind::startup_timeout: return "startup_timeout";
    case EventKind::backend_refused: return "backend_refused";
    case EventKind::backend_restart: return "backend_restart";
    case EventKind::frozen: return "frozen";
    case EventKind::stuck: return "stuck";
    case EventKind::reload: return "reload";
    case EventKind::backend_stopping: return "backend_stopping";
    case EventKind::auth_breaker: return "auth_breaker";
    case EventKind::connection_limit: return "connection_limit";
    case EventKind::clock: return "clock";
  }
  return "start";
}

bool repeats(const Event& first, const Event& second) {
  return second.kind == EventKind::backend_refused && first.kind == second.kind &&
         first.message == second.message;
}

}  // namespace probegate::health
