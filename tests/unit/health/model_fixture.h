// A HealthModel with time in the test's hand.
#pragma once

#include <string>
#include <vector>

#include "health/gate.h"
#include "health/health_model.h"

namespace probegate::health {

using namespace std::chrono_literals;

inline const WallTime kWall{std::chrono::seconds(1'795'780'800)};  // 2026-11-27T12:00:00Z

inline CheckPolicy policy(std::string name, Affects affects = {}, std::vector<std::size_t> needs = {}) {
  CheckPolicy result;
  result.name = std::move(name);
  result.type = "tcp";
  result.affects = affects;
  result.needs = std::move(needs);
  return result;
}

inline constexpr Affects kStartupOnly{.startup = true, .readiness = false, .traffic = false};
inline constexpr Affects kReadinessOnly{.startup = false, .readiness = true, .traffic = false};
inline constexpr Affects kTrafficOnly{.startup = false, .readiness = false, .traffic = true};
inline constexpr Affects kNothing{.startup = false, .readiness = false, .traffic = false};

class ModelFixture {
 public:
  explicit ModelFixture(std::vector<CheckPolicy> policies) : model(std::move(policies), start, kWall) {}

  std::vector<Transition> pass(std::size_t check = 0, Duration latency = 2ms) {
    return model.record(check, CheckResult::pass(), latency, now(), wall());
  }
  std::vector<Transition> fail(std::size_t check = 0, FailKind kind = FailKind::connect,
                               std::string message = "connection refused") {
    return model.record(check, CheckResult::fail(kind, std::move(message)), 2ms, now(), wall());
  }
  std::vector<Transition> inconclusive(std::size_t check = 0) {
    return model.record(check, CheckResult::inconclusive("frozen"), 9s, now(), wall());
  }
  std::vector<Transition> refuse(std::size_t check = 0) {
    return model.record_refusal(check, "the backend refused a connection", wall());
  }
  void advance(Duration d) { elapsed += d; }
  TimePoint now() const { return start + elapsed; }
  WallTime wall() const { return kWall + elapsed; }
  const CheckState& state(std::size_t check = 0) const { return model.states()[check]; }
  CheckStatus status(std::size_t check = 0) const { return state(check).status; }

  TimePoint start{1000s};
  Duration elapsed{0};
  HealthModel model;
};

}  // namespace probegate::health
