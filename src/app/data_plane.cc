#include "app/data_plane.h"

#include <random>

namespace probegate::app {
namespace {

using namespace std::chrono_literals;

constexpr Duration kBeat = 1s;
constexpr std::uint64_t kStuckBeats = 10;

}  // namespace

DataPlane::DataPlane(loop::Loop& control, std::vector<loop::ListenSocket> sockets,
                     std::shared_ptr<const config::Config> config,
                     std::shared_ptr<const proxy::GateView> gate, Log& log, Observer& observer)
    : control_(control),
      observer_(observer),
      sockets_(std::move(sockets)),
      mail_(control, [this] { take_mail(); }),
      beat_timer_(control, [this] { beat(); }) {
  std::random_device seed;
  for (int i = 0; i < config->proxy.workers; ++i) {
    Events& events = *this;
    loops_.push_back(std::make_unique<proxy::DataLoop>(sockets_, config, gate, log, events, seed()));
  }
}

DataPlane::~DataPlane() { join(); }

void DataPlane::start() {
  for (std::size_t i = 0; i < loops_.size(); ++i) loops_[i]->start("data-" + std::to_string(i));
  beat_timer_.start_repeating(kBeat);
}

void DataPlane::publish(std::shared_ptr<const proxy::GateView> gate) {
  for (const auto& loop : loops_) loop->publish(gate);
}

void DataPlane::publish(const std::shared_ptr<const config::Config>& config) {
  for (const auto& loop : loops_) loop->publish(config);
}

void DataPlane::stop_listening() { sockets_.clear(); }

void DataPlane::join() {
  for (const auto& loop : loops_) loop->join();
}

void DataPlane::beat() {
  bool turning = true;
  for (const auto& loop : loops_) turning = turning && beats_ - loop->answered() < kStuckBeats;
  ++beats_;
  for (const auto& loop : loops_) loop->beat(beats_, control_.now());
  if (turning == turning_ || ended_told_) return;
  turning_ = turning;
  observer_.data_loops_turning(turning);
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

void DataPlane::write_lag(metrics::ControlMetrics& control) const {
  for (std::size_t i = 0; i < loops_.size(); ++i) control.loops[i + 1].set_lag(loops_[i]->lag());
}

void DataPlane::take_mail() {
  if (const auto why = refusal_.take()) observer_.backend_refused(*why);
  if (ended_.load(std::memory_order_acquire) == loops_.size() && !ended_told_) {
    ended_told_ = true;
    observer_.data_loops_ended();
  }
}

// On a data loop's thread. The newest refusal is enough.
void DataPlane::backend_refused(const std::string& why) {
  refusal_.put(std::make_unique<std::string>(why));
  mail_.notify();
}

void DataPlane::data_loop_ended() {
  ended_.fetch_add(1, std::memory_order_acq_rel);
  mail_.notify();
}

}  // namespace probegate::app
