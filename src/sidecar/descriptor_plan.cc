#include "sidecar/descriptor_plan.h"

#include <algorithm>

#include "proxy/shared_limits.h"

namespace probegate::sidecar {
namespace {

// For standard streams, the control loop, the log, name resolution, and a few connections of libraries.
constexpr std::uint64_t kControl = 20;
constexpr std::uint64_t kDataLoop = 5;
constexpr std::uint64_t kFewestConnections = 8;  // two served clients, and four of the probe port

std::uint64_t own(const config::Config& config) {
  const auto loops = static_cast<std::uint64_t>(config.proxy.workers);
  const std::uint64_t listeners = config.proxy.listen.size() * (loops + 1) + config.probes.listen.size() * 2;
  const std::uint64_t auth = config.auth ? kDataLoop : 0;
  return kControl + loops * kDataLoop + listeners + config.checks.size() + auth;
}

}  // namespace

std::uint64_t fewest_descriptors(const config::Config& config) { return own(config) + kFewestConnections; }

probe::ProbeLimits probe_limits(const config::Config& config, std::uint64_t descriptors) {
  constexpr std::uint64_t kFewest = 4;
  const proxy::SharedLimits traffic(static_cast<std::size_t>(config.proxy.workers), descriptors);
  const std::uint64_t taken = own(config) + 2 * traffic.connections(config.proxy.limits.connections) +
                              traffic.surplus() +
                              2 * traffic.pipes() * static_cast<std::uint64_t>(config.proxy.workers);
  const std::uint64_t left = descriptors > taken ? descriptors - taken : 0;
  probe::ProbeLimits limits;
  limits.hard_connections = std::clamp<std::uint64_t>(left, kFewest, limits.hard_connections);
  limits.connections = std::min<std::size_t>(limits.connections, limits.hard_connections / 2);
  return limits;
}

}  // namespace probegate::sidecar
