#include "sidecar/data_plane.h"

#include <algorithm>
#include <random>

#include "loop/descriptors.h"

namespace probegate::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr Duration kBeat = 1s;
constexpr std::uint64_t kStuckBeats = 10;

// Descriptors that are left when every check has its own: those of its loop, and of what it talks to.
std::uint64_t beside_checks(const config::Config& config) {
  constexpr std::uint64_t kPerCheck = 8;
  const std::uint64_t all = loop::descriptor_limit();
  return all - std::min(kPerCheck * config.checks.size(), all / 4);
}

std::string name(std::size_t loop) { return "data-" + std::to_string(loop); }

}  // namespace

DataPlane::DataPlane(loop::Loop& control, std::vector<loop::ListenSocket> sockets,
                     std::shared_ptr<const config::Config> config,
                     std::shared_ptr<const proxy::GateView> gate, Log& log, Observer& observer)
    : control_(control),
      observer_(observer),
      sockets_(std::move(sockets)),
      limits_(static_cast<std::size_t>(config->proxy.workers), beside_checks(*config)),
      auth_(log),
      connections_configured_(config->proxy.limits.connections),
      mail_(control, [this] { take_mail(); }),
      beat_timer_(control, [this] { beat(); }) {
  if (config->auth) auth_.start();
  std::random_device seed;
  for (int i = 0; i < config->proxy.workers; ++i) {
    Events& events = *this;
    const proxy::LoopShare share(limits_, static_cast<std::size_t>(i));
    loops_.push_back(
        std::make_unique<proxy::DataLoop>(sockets_, config, gate, auth_, log, events, share, seed()));
  }
  const auto wanted = config->proxy.limits.connections;
  if (const auto possible = limits_.connections(wanted); possible < wanted) {
    // A few less than 10000 are nothing to be warned of at every start; the status page has the figure.
    const auto level = possible < wanted / 10 * 9 ? LogLevel::warn : LogLevel::info;
    log.write(level, "the limit of descriptors allows fewer connections than proxy.limits.connections",
              {{"limit", wanted}, {"in_force", possible}, {"descriptors", loop::descriptor_limit()}});
  }
}

DataPlane::~DataPlane() {
  if (!ending_auth_) end_auth();  // it was never started, or nobody waited for its end
  join();
}

void DataPlane::start() {
  for (std::size_t i = 0; i < loops_.size(); ++i) loops_[i]->start(name(i));
  beat_timer_.start_repeating(kBeat);
}

void DataPlane::publish(std::shared_ptr<const proxy::GateView> gate) {
  for (const auto& loop : loops_) loop->publish(gate);
}

void DataPlane::publish(const std::shared_ptr<const config::Config>& config) {
  if (config->auth) auth_.start();
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
    if (beats_ - loops_[i]->answered() >= kStuckBeats) stuck += (stuck.empty() ? "" : ", ") + name(i);
  }
  ++beats_;
  for (const auto& loop : loops_) loop->beat(beats_, control_.now());
  if (const auto restarts = limits_.backend().restarts(); restarts != restarts_told_) {
    restarts_told_ = restarts;
    observer_.backend_restarted(restarts);
  }
  if (stuck == stuck_ || ended_told_) return;
  stuck_ = stuck;
  observer_.data_loops_stuck(std::move(stuck));
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

void DataPlane::take_mail() {
  if (const auto close_code = stopping_.exchange(0)) observer_.backend_stopping(close_code);
  if (const auto why = refusal_.take()) observer_.backend_refused(*why);
  for (const auto& change : breaker_changes_.take_all()) {
    observer_.auth_breaker_changed(change.open, change.why);
  }
  if (ended_.load(std::memory_order_acquire) < loops_.size() || ended_told_) return;
  if (!ending_auth_) end_auth();
  if (!auth_ended_.load(std::memory_order_acquire)) return;
  ended_told_ = true;
  observer_.data_loops_ended();
}

// Nobody is left whose questions it could answer.
void DataPlane::end_auth() {
  ending_auth_ = true;
  if (!auth_.running()) {
    auth_ended_ = true;
    return;
  }
  auth_.stop([this] {
    auth_ended_.store(true, std::memory_order_release);
    mail_.notify();
  });
}

// On a data loop's thread. The newest refusal is enough.
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
  ended_.fetch_add(1, std::memory_order_acq_rel);
  mail_.notify();
}

}  // namespace probegate::sidecar
