#include "proxy/data_loop.h"

#include <malloc.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "loop/thread.h"

namespace probegate::proxy {
DataLoop::DataLoop(const std::vector<loop::ListenSocket>& sockets,
                   std::shared_ptr<const config::Config> config, std::shared_ptr<const GateView> gate,
                   AuthLoop& auth, Log& log, Events& events, LoopShare share, unsigned seed)
    : log_(log),
      events_(events),
      loop_(*this),
      wheel_(loop_),
      environment_{loop_,      wheel_, log_,        metrics_, *this, std::move(config), std::move(gate),
                   &backends_, &held_, &auth_desk_, &access_, share, std::mt19937(seed)},
      backends_(environment_),
      held_(environment_),
      auth_desk_(environment_, auth),
      access_(environment_),
      mail_(loop_, [this] { take_mail(); }) {
  for (const auto& socket : sockets) {
    const auto copy = socket.duplicate();
    if (!copy) throw std::runtime_error(copy.error().message);
    listeners_.push_back(std::make_unique<loop::Listener>(
        loop_, *copy, socket.endpoint().is_unix(), [this](loop::Stream client) { accept(std::move(client)); },
        [this] { return environment_.share.may_accept(); }));
  }
}

DataLoop::~DataLoop() {
  ended_.clear();
  environment_.share.connections_closed(sessions_.size());
  sessions_.clear();
}

void DataLoop::start(std::string name) {
  thread_ = loop::start_thread(std::move(name), [this] {
    loop_.run();
    events_.data_loop_ended();
  });
}

void DataLoop::join() {
  if (thread_.joinable()) thread_.join();
}

void DataLoop::publish(std::shared_ptr<const GateView> gate) {
  gate_mail_.put(std::make_unique<std::shared_ptr<const GateView>>(std::move(gate)));
  mail_.notify();
}

void DataLoop::publish(std::shared_ptr<const config::Config> config) {
  config_mail_.put(std::make_unique<std::shared_ptr<const config::Config>>(std::move(config)));
  mail_.notify();
}

void DataLoop::beat(std::uint64_t number, TimePoint sent) {
  beat_sent_ns_.store(sent.time_since_epoch().count(), std::memory_order_relaxed);
  beat_.store(number, std::memory_order_release);
  mail_.notify();
}

void DataLoop::take_mail() {
  if (const auto beat = beat_.load(std::memory_order_acquire);
      beat != answered_.load(std::memory_order_relaxed)) {
    lag_ns_.store(loop_.now().time_since_epoch().count() - beat_sent_ns_.load(std::memory_order_relaxed),
                  std::memory_order_relaxed);
    answered_.store(beat, std::memory_order_release);
  }
  if (const auto config = config_mail_.take()) take_config(std::move(*config));
  refresh_gate();
  act_on_gate();
}

// The notice that follows a publication may be told after a request of the same turn.
void DataLoop::refresh_gate() {
  if (const auto gate = gate_mail_.take()) environment_.gate = std::move(*gate);
}

void DataLoop::act_on_gate() {
  const DrainPhase before = std::exchange(drain_, environment_.gate->drain);
  held_.gate_changed();
  if (before < DrainPhase::ending && drain_ >= DrainPhase::ending) begin_ending();
  if (before < DrainPhase::cut && drain_ == DrainPhase::cut) {
    while (!sessions_.empty()) sessions_.front()->cut();
  }
  end_if_empty();
}

void DataLoop::take_config(std::shared_ptr<const config::Config> config) {
  const auto before = std::exchange(environment_.config, std::move(config));
  if (before->proxy.backend.endpoint != environment_.config->proxy.backend.endpoint) {
    backends_.backend_changed();
  }
}

void DataLoop::accept(loop::Stream client) {
  auto& share = environment_.share;
  const auto limit = share.all().connections(environment_.config->proxy.limits.connections);
  const auto before = share.connection_opened();
  if (before >= limit + share.all().surplus()) {
    share.connections_closed(1);
    const auto refusal = Refusal::of(metrics::Reason::connection_limit, 0,
                                     "far more connections than the limit in force; reset without an answer");
    metrics_.refused[refusal.reason].add();
    metrics_.refused_below_500.add();
    access_.refused({}, refusal);
    return client.reset();
  }
  try {
    sessions_.push_back(std::make_unique<Session>(environment_, std::move(client), before >= limit));
  } catch (...) {
    share.connections_closed(1);
    throw;
  }
  Session& started = *sessions_.back();
  started.place = std::prev(sessions_.end());
  started.start();
}

// Each tunnel at its own moment of the first half of the budget. The listeners last: what they find in the
// queue gets an answer too.
void DataLoop::begin_ending() {
  backends_.close_idle();
  std::int64_t tunnels = 0;
  for (const auto& session : sessions_) tunnels += session->tunnelling() ? 1 : 0;
  const Duration spread = environment_.config->drain.timeout / 2;
  std::int64_t rank = 0;
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    Session& session = **it++;  // drain() may move it to ended_
    const Duration delay = session.tunnelling() ? spread * rank++ / tunnels : Duration::zero();
    session.drain(delay);
  }
  for (const auto& listener : listeners_) listener->accept_rest();
  listeners_.clear();
}

void DataLoop::end_if_empty() {
  if (drain_ >= DrainPhase::ending && sessions_.empty()) loop_.stop();
}

// The allocator keeps what is freed in the middle of its heap, and a flood of tunnels would stay on the bill
// of an idle instance for ever. It takes milliseconds to give back, so only a large fall is worth it.
void DataLoop::reap() {
  constexpr std::size_t kWorthIt = 1000;
  most_sessions_ = std::max(most_sessions_, sessions_.size() + ended_.size());
  ended_.clear();
  if (most_sessions_ < kWorthIt || sessions_.size() > most_sessions_ / 4) return;
  most_sessions_ = sessions_.size();
  ::malloc_trim(0);
}

void DataLoop::session_ended(Session& session) {
  if (ended_.empty()) loop_.after_turn([this] { reap(); });
  ended_.splice(ended_.end(), sessions_, session.place);
  environment_.share.connections_closed(1);
  end_if_empty();
}

bool DataLoop::backend_refused(const std::string& why) {
  const auto& gate = *environment_.gate;
  if (gate.traffic_check.empty() || gate.drain != DrainPhase::none) return false;
  if (gate.state == health::GateState::open) {
    // At once here; the control loop hears of it, judges the check failed and publishes the same to
    // everybody.
    auto closed = std::make_shared<GateView>(gate);
    closed->state = health::GateState::closed;
    closed->waiting_for = {gate.traffic_check};
    environment_.gate = std::move(closed);
    events_.backend_refused(why);
  }
  return true;
}

// A thousand tunnels may be closed at once.
void DataLoop::backend_stopping(std::uint16_t close_code) {
  constexpr std::uint64_t kPauseMs = 1000;
  const auto now = loop_.turn_ms();
  if (stopping_told_ms_ != 0 && now - stopping_told_ms_ < kPauseMs) return;
  stopping_told_ms_ = now;
  events_.backend_stopping(close_code);
}

void DataLoop::on_exception(const std::string& what) noexcept {
  try {
    log_.error("internal error on a data loop", {{"what", what}});
  } catch (...) {
    // Out of memory even for the message: the loop goes on.
  }
}

}  // namespace probegate::proxy
