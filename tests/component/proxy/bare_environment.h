// BareEnvironment: what the parts of a data loop work with, without the data loop around them.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <random>
#include <string>
#include <utility>

#include "proxy/environment.h"
#include "proxy_fixture.h"
#include "support/test_loop.h"

namespace probegate::test {

struct BareEnvironment final : proxy::SessionHost {
  // `descriptors`: how many this process is said to have.
  explicit BareEnvironment(const Endpoint& backend, std::uint64_t descriptors = 100)
      : limits(1, descriptors),
        environment{*loop,
                    wheel,
                    log,
                    metrics,
                    *this,
                    configuration(backend),
                    std::make_shared<proxy::GateView>(open_gate()),
                    nullptr,
                    nullptr,
                    nullptr,
                    nullptr,
                    proxy::LoopLimits(limits, 0),
                    std::mt19937(7)} {}
  ~BareEnvironment() { ::close(log_fd); }

  static std::shared_ptr<config::Config> configuration(const Endpoint& backend) {
    auto config = std::make_shared<config::Config>();
    config->proxy.backend = {backend, backend.to_string()};
    return config;
  }
  void session_ended(proxy::Session&) override {}
  void session_moved(proxy::Session&) override {}
  void refresh_gate() override {
    if (published) environment.gate = std::exchange(published, nullptr);
  }
  bool backend_refused(const std::string&) override { return false; }
  void backend_stopping(std::uint16_t) override {}
  void auth_breaker_changed(bool, const std::string&) override {}

  std::shared_ptr<const proxy::GateView> published;  // and not yet told
  TestLoop loop;
  loop::DeadlineWheel wheel{*loop};
  int log_fd = ::memfd_create("log", MFD_CLOEXEC);
  Log log{log_fd, LogLevel::info, LogFormat::json, *loop};
  metrics::DataLoopMetrics metrics;
  proxy::SharedLimits limits;
  proxy::Environment environment;
};

}  // namespace probegate::test
