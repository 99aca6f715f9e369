#include "proxy/hold_queue.h"

#include "proxy/session.h"

namespace probegate::proxy {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLook = 1s;  // after clients that left while we did not read from them

}  // namespace

HoldQueue::HoldQueue(Environment& environment)
    : environment_(environment),
      timer_(environment.loop, [this] { release_some(); }),
      look_(environment.loop, [this] { send_off_the_gone(); }) {}

bool HoldQueue::full() const {
  return environment_.share.all().held() >= environment_.config->proxy.hold.max;
}

std::optional<HoldQueue::Place> HoldQueue::join(Session& session) {
  auto& share = environment_.share;
  if (!share.take_place(environment_.config->proxy.hold.max)) return std::nullopt;
  environment_.metrics.held.add();
  const Place place = waiting_.insert(waiting_.end(), {&session, share.next_ticket()});
  show_oldest();
  if (!look_.active()) look_.start(kLook);
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
  if (gate.drain >= DrainPhase::ending) {
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

// One at a time, evenly spaced: a backend that has just started is not met by everybody at once.
void HoldQueue::release_some() {
  if (waiting_.empty() || !environment_.gate->open()) return;
  const int per_second = environment_.config->proxy.hold.per_second;
  const Duration pause = Duration(1s) / (per_second > 0 ? per_second : 1000);
  Duration wait = environment_.share.until_release(waiting_.front().ticket, environment_.loop.now(), pause);
  if (wait <= Duration::zero()) {
    waiting_.front().session->release_from_hold();
    wait = pause;
  }
  if (!waiting_.empty()) timer_.start(wait);
}

// Behind a body that waits in the socket nobody hears the client's end.
void HoldQueue::send_off_the_gone() {
  for (auto next = waiting_.begin(); next != waiting_.end();) (next++)->session->leave_if_client_is_gone();
  if (!waiting_.empty()) look_.start(kLook);
}

}  // namespace probegate::proxy
