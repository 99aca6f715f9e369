// ProxyFixture: a real data loop on a thread of its own, in front of a backend that the test plays.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/data_loop.h"
#include "support/listen_on.h"
#include "support/test_loop.h"

namespace probegate::test {

inline proxy::GateView open_gate() {
  proxy::GateView gate;
  gate.state = health::GateState::open;
  return gate;
}
inline proxy::GateView closed_gate(std::vector<std::string> waiting_for = {"database"}) {
  proxy::GateView gate;
  gate.state = health::GateState::starting;
  gate.waiting_for = std::move(waiting_for);
  return gate;
}
inline proxy::GateView draining(health::Phase phase) {
  proxy::GateView gate;
  gate.state = health::GateState::draining;
  gate.opened_before_drain = true;
  gate.phase = phase;
  return gate;
}

inline proxy::GateView draining_by_command(health::Phase phase) {
  proxy::GateView gate = draining(phase);
  gate.by_command = true;
  return gate;
}

class ProxyFixture final : private proxy::DataLoop::Events {
 public:
  using Tune = std::function<void(config::Config&)>;

  ProxyFixture(TestLoop& loop, const Endpoint& backend, const Tune& tune = {},
               proxy::GateView gate = open_gate(), const Endpoint& listen = Endpoint::tcp("127.0.0.1", 0))
      : log_fd_(::memfd_create("log", MFD_CLOEXEC)) {
    sockets_.push_back(listen_on(listen));
    auto config = std::make_shared<config::Config>();
    config->proxy.backend = {backend, backend.is_unix() ? "localhost" : backend.to_string()};
    config->proxy.timeouts.connect = std::chrono::milliseconds(400);
    if (tune) tune(*config);
    config_ = config;
    log_ = std::make_unique<Log>(log_fd_, config->log.level, LogFormat::json, *loop);
    auth_ = std::make_unique<proxy::AuthWorker>(*log_);
    if (config->auth) auth_->start([] {});
    const auto workers = static_cast<std::size_t>(config->proxy.workers);
    limits_ = std::make_unique<proxy::SharedLimits>(workers, 20'000);
    for (std::size_t number = 0; number < workers; ++number) {
      proxy::DataLoop::Events& events = *this;
      loops_.push_back(std::make_unique<proxy::DataLoop>(
          sockets_, config, std::make_shared<proxy::GateView>(gate), *auth_, *log_, events,
          proxy::LoopLimits(*limits_, number), 7u + static_cast<unsigned>(number)));
    }
    for (const auto& l : loops_) l->start();
  }
  ~ProxyFixture() {
    publish(draining(health::Phase::cutting));
    for (const auto& l : loops_) l->join();
    auth_->stop();
    auth_->join();
    loops_.clear();
    auth_.reset();
    log_.reset();
    ::close(log_fd_);
  }

  const Endpoint& endpoint() const { return sockets_.front().endpoint(); }
  void publish(const proxy::GateView& gate) {
    if (gate.phase >= health::Phase::closing && !gate.by_command && !sockets_.empty())
      sockets_.front().close();
    for (const auto& l : loops_) l->publish(std::make_shared<proxy::GateView>(gate));
  }
  void publish(const Tune& tune) {
    auto config = std::make_shared<config::Config>(*config_);
    tune(*config);
    config_ = config;
    for (const auto& l : loops_) l->publish(config_);
  }
  proxy::DataLoop& loop(std::size_t index = 0) { return *loops_.at(index); }
  proxy::AuthWorker& auth() { return *auth_; }
  health::CircuitBreaker& auth_breaker() { return auth_->breaker(); }
  std::size_t loops() const { return loops_.size(); }
  const metrics::DataLoopMetrics& metrics() const { return loops_.front()->metrics(); }

  const std::string& instance() const { return limits_->instance(); }
  std::uint64_t connections() const { return limits_->open(); }  // of all loops
  std::size_t ended() const { return ended_; }                   // loops whose thread is about to end
  std::size_t refusals() const { return refusals_; }             // backend_refused events

  std::size_t stops() const { return stops_; }  // backend_stopping events
  bool breaker_open() const { return breaker_open_; }

  std::string log() const {
    std::string text;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::pread(log_fd_, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0;) {
      text.append(buffer, static_cast<std::size_t>(n));
    }
    return text;
  }
  // The lines whose message is that.
  std::vector<std::string> log_lines(const std::string& message) const {
    std::vector<std::string> lines;
    const std::string text = log();
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at);
      if (end == std::string::npos) break;
      const std::string line = text.substr(at, end - at);
      if (line.find("\"message\":\"" + message + "\"") != std::string::npos) lines.push_back(line);
      at = end + 1;
    }
    return lines;
  }

 private:
  void backend_refused(const std::string&) override { ++refusals_; }
  void backend_stopping(std::uint16_t) override { ++stops_; }
  void auth_breaker_changed(bool open, const std::string&) override { breaker_open_ = open; }
  void data_loop_ended() override { ++ended_; }

  int log_fd_;
  std::unique_ptr<Log> log_;
  std::vector<loop::ListenSocket> sockets_;
  std::shared_ptr<const config::Config> config_;
  std::atomic<std::size_t> ended_{0};
  std::atomic<std::size_t> refusals_{0};
  std::atomic<std::size_t> stops_{0};
  std::atomic<bool> breaker_open_{false};
  std::unique_ptr<proxy::SharedLimits> limits_;
  std::unique_ptr<proxy::AuthWorker> auth_;
  std::vector<std::unique_ptr<proxy::DataLoop>> loops_;
};

}  // namespace probegate::test
