#include "health/snapshot.h"

namespace probegate::health {

bool Snapshot::readiness_passing() const {
  for (std::size_t i = 0; i < checks.size(); ++i) {
    const Affects& affects = (*policies)[i].affects;
    if ((affects.readiness || affects.traffic) && checks[i].status == CheckStatus::fail) return false;
  }
  return true;
}

bool Snapshot::ready() const { return gate == GateState::open && readiness_passing(); }

bool Snapshot::alive() const {
  const bool startup_failed = gate == GateState::failed && on_startup_timeout == StartupTimeoutPolicy::fail;
  return stuck_loops.empty() && !startup_failed;
}

std::vector<std::string> Snapshot::waiting_names() const {
  std::vector<std::string> names;
  for (const std::size_t index : waiting_for) names.push_back((*policies)[index].name);
  return names;
}

}  // namespace probegate::health
