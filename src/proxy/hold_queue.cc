#include "proxy/hold_queue.h"

#include "proxy/session.h"

namespace probegate::proxy {

using namespace std::chrono_literals;

HoldQueue::HoldQueue(Environment& environment)
    : environment_(environment), timer_(environment.loop, [this] { release_some(); }) {}

bool HoldQueue::full() const {
  return environment_.share.all().held() >= environment_.config->proxy.hold.max;
}

std::optional<HoldQueue::Place> HoldQueue::join(Session& session) {
  auto& share = environment_.share;
  if (!share.take_place(environment_.config->proxy.hold.max)) return std::nullopt;
  environment_.metrics.held.add();
  const Place place = waiting_.insert(waiting_.end(), {&session, share.next_ticket()});
  show_oldest();
  return place;
}

void HoldQueue::leave(Place place) {
  environment_.metrics.held.subtract();
  environment_.share.return_place();
  waiting_.erase(place);
  show_oldest();
}

void HoldQueue::show_oldest() {
  if (waiting_.empty()) {
    environment_.share.nobody_waits();
  } else {
    environment_.share.oldest_waits(waiting_.front().ticket);
  }
}

void HoldQueue::gate_changed() {
  const auto& gate = *environment_.gate;
  if (gate.phase >= health::Phase::closing) {
    while (!waiting_.empty()) {
      waiting_.front().session->refuse_held(
          Refusal::of(metrics::Reason::draining, "this instance is shutting down"));
    }
  } else if (gate.open()) {
    if (!timer_.active()) release_some();
  } else {
    timer_.stop();
  }
}

// Releases requests evenly spaced, so that a backend that has just started does not get all of them at once.
void HoldQueue::release_some() {
  constexpr int kPerTurn = 64;
  const int per_second = environment_.config->proxy.hold.per_second;
  const Duration pause = Duration(1s) / (per_second > 0 ? per_second : 1000);
  // Several per turn if they are due more often than the timer's resolution.
  for (int released = 0; !waiting_.empty() && environment_.gate->open(); ++released) {
    if (released == kPerTurn) return timer_.start(Duration::zero());
    const Duration wait =
        environment_.share.until_release(waiting_.front().ticket, environment_.loop.now(), pause);
    if (wait > Duration::zero()) return timer_.start(wait);
    waiting_.front().session->release_from_hold();
  }
}

}  // namespace probegate::proxy
