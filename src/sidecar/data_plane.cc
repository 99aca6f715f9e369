#include "sidecar/data_plane.h"

#include <algorithm>
#include <random>

#include "loop/descriptors.h"

namespace probegate::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr Duration kBeat = 1s;
constexpr std::uint64_t kStuckBeats = 10;

// Descriptors that remain when every check has those it needs for its loop and its connections.
std::uint64_t beside_checks(const config::Config& config) {
  constexpr std::uint64_t kPerCheck = 8;
  const std::uint64_t all = loop::descriptor_limit();
  return all - std::min(kPerCheck * config.checks.size(), all / 4);
}

std::string name(std::size_t loop) { return "data-" + std::to_string(loop); }

}  // namespace

DataPlane::DataPlane(loop::Loop& control, std::vector<loop::ListenSocket> sockets,
                     std::shared_ptr<const config::Config> config, Log& log, Shutdown& shutdown)
    : control_(control),
      shutdown_(shutdown),
      sockets_(std::move(sockets)),
      limits_(static_cast<std::size_t>(config->proxy.workers), beside_checks(*config)),
      auth_(log),
      connections_configured_(config->proxy.limits.connections),
      mail_(control, [this] { on_wakeup(); }),
      beat_timer_(control, [this] { beat(); }) {
  if (config->auth) start_auth();
  // The gate until the control loop publishes the first one.
  const auto gate = std::make_shared<const proxy::GateView>();
  std::random_device seed;
  for (int i = 0; i < config->proxy.workers; ++i) {
    Events& events = *this;
    const proxy::LoopLimits share(limits_, static_cast<std::size_t>(i));
    loops_.push_back(
        std::make_unique<proxy::DataLoop>(sockets_, config, gate, auth_, log, events, share, seed()));
  }
  const auto wanted = config->proxy.limits.connections;
  if (const auto possible = limits_.connections(wanted); possible < wanted) {
    // No warning for a few less than 10000, which would be logged at every start; the status page shows it.
    const auto level = possible < wanted / 10 * 9 ? LogLevel::warn : LogLevel::info;
    log.write(level,
              "the limit of open files (ulimit -n) allows fewer connections than proxy.limits.connections",
              {{"limit", wanted}, {"in_force", possible}, {"descriptors", loop::descriptor_limit()}});
  }
}

DataPlane::~DataPlane() {
  auth_.stop();  // needed if the process ends without stop_auth()
  join();
}

void DataPlane::start(Observer& observer) {
  observer_ = &observer;
  loops_running_ = loops_.size();
  for (std::size_t i = 0; i < loops_.size(); ++i) loops_[i]->start(name(i));
  beat_timer_.start_repeating(kBeat);
}

void DataPlane::publish(std::shared_ptr<const proxy::GateView> gate) {
  for (const auto& loop : loops_) loop->publish(gate);
}

void DataPlane::publish(const std::shared_ptr<const config::Config>& config) {
  if (config->auth) start_auth();
  connections_configured_ = config->proxy.limits.connections;
  for (const auto& loop : loops_) loop->publish(config);
}

void DataPlane::stop_listening() { sockets_.clear(); }

void DataPlane::join() {
  for (const auto& loop : loops_) loop->join();
  auth_.join();
}

void DataPlane::beat() {
  std::string stuck;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    if (beats_ - loops_[i]->answered() < kStuckBeats) continue;
    if (!loops_[i]->ended()) stuck += (stuck.empty() ? "" : ", ") + name(i);
  }
  ++beats_;
  for (const auto& loop : loops_) loop->beat(beats_, control_.now());
  if (const auto restarts = limits_.backend().restarts(); restarts != restarts_told_) {
    restarts_told_ = restarts;
    observer_->backend_restarted(restarts);
  }
  if (stuck == stuck_) return;
  stuck_ = stuck;
  observer_->data_loops_stuck(std::move(stuck));
}

std::vector<Endpoint> DataPlane::endpoints() const {
  std::vector<Endpoint> all;
  for (const auto& socket : sockets_) all.push_back(socket.endpoint());
  return all;
}

std::vector<const metrics::DataLoopMetrics*> DataPlane::metrics() const {
  std::vector<const metrics::DataLoopMetrics*> all;
  for (const auto& loop : loops_) all.push_back(&loop->metrics());
  return all;
}

metrics::ConnectionLimit DataPlane::connections() const {
  return {.open = limits_.open(),
          .in_force = limits_.connections(connections_configured_),
          .configured = connections_configured_};
}

void DataPlane::write_lag(metrics::ControlMetrics& control) const {
  for (std::size_t i = 0; i < loops_.size(); ++i) control.loops[i + 1].set_lag(loops_[i]->lag());
}

void DataPlane::on_wakeup() {
  if (const auto close_code = stopping_.exchange(0)) observer_->backend_stopping(close_code);
  if (const auto why = refusal_.take()) observer_->backend_refused(*why);
  for (const auto& change : breaker_changes_.take_all()) {
    observer_->auth_breaker_changed(change.open, change.why);
  }
  if (loops_running_.load(std::memory_order_acquire) > 0) return;
  shutdown_.loops_ended();
  if (!auth_running_.load(std::memory_order_acquire)) shutdown_.auth_ended();
}

void DataPlane::start_auth() {
  if (auth_.running()) return;
  auth_.start([this] {
    auth_running_.store(false, std::memory_order_release);
    mail_.notify();
  });
  auth_running_ = true;
}

void DataPlane::stop_auth() {
  if (!auth_running_) return shutdown_.auth_ended();
  auth_.stop();
}

// Called on a data loop's thread. Only the newest refusal is kept.
void DataPlane::backend_refused(const std::string& why) {
  refusal_.put(std::make_unique<std::string>(why));
  mail_.notify();
}

void DataPlane::backend_stopping(std::uint16_t close_code) {
  stopping_.store(close_code);
  mail_.notify();
}

void DataPlane::auth_breaker_changed(bool open, const std::string& why) {
  breaker_changes_.put({open, why});
  mail_.notify();
}

void DataPlane::data_loop_ended() {
  loops_running_.fetch_sub(1, std::memory_order_acq_rel);
  mail_.notify();
}

}  // namespace probegate::sidecar
