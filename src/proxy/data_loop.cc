#include "proxy/data_loop.h"

#include <malloc.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace probegate::proxy {
DataLoop::DataLoop(const std::vector<loop::ListenSocket>& sockets,
                   std::shared_ptr<const config::Config> config, std::shared_ptr<const GateView> gate,
                   AuthWorker& auth, Log& log, Events& events, LoopLimits share, unsigned seed)
    : log_(log),
      events_(events),
      worker_(log, "internal error on a data loop"),
      loop_(worker_.loop()),
      wheel_(loop_),
      environment_{loop_,      wheel_, log_,          metrics_, *this, std::move(config), std::move(gate),
                   &backends_, &held_, &auth_client_, &access_, share, std::mt19937(seed)},
      backends_(environment_),
      held_(environment_),
      auth_client_(environment_, auth),
      access_(environment_),
      mail_(loop_, [this] { on_wakeup(); }) {
  for (const auto& socket : sockets) {
    const auto copy = socket.duplicate();
    if (!copy) throw std::runtime_error(copy.error().message);
    listeners_.push_back(std::make_unique<loop::Listener>(
        loop_, *copy, socket.endpoint().is_unix(), [this](loop::Stream client) { accept(std::move(client)); },
        [this] { return turn_to_accept(); }));
  }
  environment_.share.on_asked([this] { mail_.notify(); });
}

DataLoop::~DataLoop() {
  ended_.clear();
  environment_.share.connections_closed(sessions());
  for (auto& sessions : rows_) sessions.clear();
}

void DataLoop::start(std::string name) {
  worker_.start(std::move(name), [this] { events_.data_loop_ended(); });
}

void DataLoop::join() { worker_.join(); }

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

void DataLoop::on_wakeup() {
  if (const auto beat = beat_.load(std::memory_order_acquire);
      beat != answered_.load(std::memory_order_relaxed)) {
    lag_ns_.store(loop_.now().time_since_epoch().count() - beat_sent_ns_.load(std::memory_order_relaxed),
                  std::memory_order_relaxed);
    answered_.store(beat, std::memory_order_release);
  }
  if (const auto config = config_mail_.take()) take_config(std::move(*config));
  for (auto asked = environment_.share.take_asked(); asked > 0; --asked) end_one(Standing::idle);
  refresh_gate();
  act_on_gate();
}

// Needed because the wakeup after publish() may be handled after a request of the same turn.
void DataLoop::refresh_gate() {
  if (const auto gate = gate_mail_.take()) environment_.gate = std::move(*gate);
}

void DataLoop::act_on_gate() {
  const GateView& gate = *environment_.gate;
  held_.gate_changed();
  const bool closing = gate.phase >= health::Phase::closing;
  const bool closed_before = std::exchange(closing_, closing);
  if (closing && !closed_before) close_sessions();
  if (!closing && closed_before) keep_tunnels();
  // Last, so that connections in their queues get an answer too.
  if (closing && !gate.by_command && !listeners_.empty()) stop_listening();
  if (gate.phase >= health::Phase::cutting) {
    for (auto& sessions : rows_) {
      while (!sessions.empty()) sessions.front()->cut();
    }
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
  const bool over = share.connection_opened() >= limit;
  const bool surplus = over && !end_one(Standing::idle) && !share.ask_for_room();
  try {
    auto& sessions = row(surplus ? Standing::surplus : Standing::silent);
    sessions.push_back(std::make_unique<Session>(environment_, std::move(client), surplus));
    Session& started = *sessions.back();
    started.place = std::prev(sessions.end());
    started.row = started.standing();
  } catch (...) {
    share.connections_closed(1);
    throw;
  }
  row(surplus ? Standing::surplus : Standing::silent).back()->start();
}

// Over the limit, only surplus() connections are accepted at a time, to be refused; the others wait in the
// system's queue until one of these has closed.
loop::Listener::Turn DataLoop::turn_to_accept() {
  using Turn = loop::Listener::Turn;
  const auto& all = environment_.share.all();
  const auto most = all.connections(environment_.config->proxy.limits.connections) + all.surplus();
  if (all.open() >= most && !make_room()) return Turn::wait;
  return environment_.share.may_accept() ? Turn::take : Turn::leave;
}

bool DataLoop::make_room() {
  return end_one(Standing::leaving) || end_one(Standing::surplus) || end_one(Standing::idle);
}

// Tries several: a session that looks idle may have received something in this turn.
bool DataLoop::end_one(Standing standing) {
  constexpr int kMostLooks = 16;
  auto& sessions = row(standing);
  int looks = 0;
  for (auto it = sessions.begin(); it != sessions.end() && looks < kMostLooks; ++looks) {
    Session& session = **it++;  // give_way() may remove it from this row
    if (session.give_way()) return true;
  }
  return false;
}

std::size_t DataLoop::sessions() const {
  std::size_t count = 0;
  for (const auto& sessions : rows_) count += sessions.size();
  return count;
}

void DataLoop::session_moved(Session& session) {
  const Standing before = std::exchange(session.row, session.standing());
  row(session.row).splice(row(session.row).end(), row(before), session.place);
  if (before == Standing::idle || session.row == Standing::idle)
    environment_.share.idle_now(row(Standing::idle).size());
  count_busy();
}

void DataLoop::count_busy() { metrics_.busy.set(static_cast<std::int64_t>(row(Standing::busy).size())); }

// Closes the tunnels spread over the first half of the budget, or over its last quarter.
void DataLoop::close_sessions() {
  backends_.close_idle();
  std::int64_t tunnels = 0;
  for (const auto& session : row(Standing::busy)) tunnels += session->tunnelling() ? 1 : 0;
  const auto& drain = environment_.config->drain;
  const Duration first = drain.wait_for_tunnels ? drain.timeout * 3 / 4 : Duration::zero();
  const Duration spread = drain.timeout / (drain.wait_for_tunnels ? 4 : 2);
  std::int64_t rank = 0;
  for (auto& sessions : rows_) {
    for (auto it = sessions.begin(); it != sessions.end();) {
      Session& session = **it++;  // drain() may move it to another row, or to ended_
      const Duration delay = session.tunnelling() ? first + spread * rank++ / tunnels : Duration::zero();
      session.drain(delay);
    }
  }
}

// The drain was resumed: tunnels whose turn has not come stay.
void DataLoop::keep_tunnels() {
  auto& sessions = row(Standing::busy);
  for (auto it = sessions.begin(); it != sessions.end();) (*it++)->resume();  // it may move to ended_
}

void DataLoop::stop_listening() {
  for (const auto& listener : listeners_) listener->accept_rest();
  listeners_.clear();
}

// Only once the phase allows it: without a proxy there are no listeners from the start.
void DataLoop::end_if_empty() {
  if (environment_.gate->phase < health::Phase::closing || environment_.gate->by_command) return;
  if (listeners_.empty() && sessions() == 0) loop_.stop();
}

// The allocator keeps memory that was freed in the middle of its heap, so an instance would keep the memory
// of a flood of tunnels. Returning it takes milliseconds, so this is done only after a large decrease.
void DataLoop::reap() {
  constexpr std::size_t kWorthIt = 1000;
  most_sessions_ = std::max(most_sessions_, sessions() + ended_.size());
  ended_.clear();
  if (most_sessions_ < kWorthIt || sessions() > most_sessions_ / 4) return;
  most_sessions_ = sessions();
  ::malloc_trim(0);
}

void DataLoop::session_ended(Session& session) {
  if (ended_.empty()) loop_.after_turn([this] { reap(); });
  ended_.splice(ended_.end(), row(session.row), session.place);
  if (session.row == Standing::idle) environment_.share.idle_now(row(Standing::idle).size());
  count_busy();
  environment_.share.connections_closed(1);
  for (const auto& listener : listeners_) listener->resume();
  end_if_empty();
}

bool DataLoop::backend_refused(const std::string& why) {
  const auto& gate = *environment_.gate;
  if (gate.traffic_check.empty() || gate.phase != health::Phase::running) return false;
  if (gate.state == health::GateState::open) {
    // Closes the gate of this loop at once. The control loop is informed, sets the check to failed and
    // publishes a closed gate to all loops.
    auto closed = std::make_shared<GateView>(gate);
    closed->state = health::GateState::closed;
    closed->waiting_for = {gate.traffic_check};
    environment_.gate = std::move(closed);
    events_.backend_refused(why);
  }
  return true;
}

// Limited to one report a second, because thousands of tunnels may be closed at once.
void DataLoop::backend_stopping(std::uint16_t close_code) {
  constexpr std::uint64_t kPauseMs = 1000;
  const auto now = loop_.turn_ms();
  if (stopping_told_ms_ != 0 && now - stopping_told_ms_ < kPauseMs) return;
  stopping_told_ms_ = now;
  events_.backend_stopping(close_code);
}

}  // namespace probegate::proxy
