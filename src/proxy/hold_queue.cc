#include "proxy/hold_queue.h"

#include "proxy/session.h"

namespace probegate::proxy {
namespace {

using namespace std::chrono_literals;

}  // namespace

HoldQueue::HoldQueue(Environment& environment)
    : environment_(environment), timer_(environment.loop, [this] { release_some(); }) {}

HoldQueue::Place HoldQueue::join(Session& session) {
  environment_.metrics.held.add();
  return waiting_.insert(waiting_.end(), &session);
}

void HoldQueue::leave(Place place) {
  environment_.metrics.held.subtract();
  waiting_.erase(place);
}

void HoldQueue::gate_changed() {
  const auto& gate = *environment_.gate;
  if (gate.drain >= DrainPhase::ending) {
    while (!waiting_.empty()) {
      waiting_.front()->refuse_held(Refusal::of(metrics::Reason::draining, "this instance is shutting down"));
    }
  } else if (gate.open()) {
    if (!timer_.active()) release_some();
  } else {
    timer_.stop();
  }
}

// One at a time, evenly spaced: a backend that has just started is not met by everybody at once.
void HoldQueue::release_some() {
  if (waiting_.empty() || !environment_.gate->open()) return;
  waiting_.front()->release_from_hold();
  const int per_second = environment_.config->proxy.hold.per_second;
  if (!waiting_.empty()) timer_.start(Duration(1s) / (per_second > 0 ? per_second : 1000));
}

}  // namespace probegate::proxy
