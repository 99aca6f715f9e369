#include "health/phase.h"

namespace probegate::health {

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::running: return "running";
    case Phase::lame_duck: return "lame_duck";
    case Phase::closing: return "closing";
    case Phase::cutting: return "cutting";
    case Phase::stopping_auth: return "stopping_auth";
    case Phase::flushing_alerts: return "flushing_alerts";
    case Phase::recording: return "recording";
    case Phase::done: return "done";
  }
  return "done";
}

}  // namespace probegate::health
