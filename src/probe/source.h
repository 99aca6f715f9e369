// Source: what the probe port shows beyond the snapshot. Asked only when somebody looks.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "health/history.h"
#include "metrics/exposition.h"
#include "metrics/traffic.h"

namespace probegate::probe {

struct TrafficReport {
  metrics::Traffic total;
  metrics::LastMinute minute;
  std::deque<metrics::Refusals> refusals;  // the oldest first
  metrics::ConnectionLimit connections = {};
  std::optional<bool> auth_breaker_open = {};  // empty without an auth service
};

// Whose state it is; with ten replicas ten pages would look the same.
struct About {
  std::string service;   // Cloud Run's name of the service, or the host's
  std::string instance;  // the host's name
  std::string backend;
  std::string config;  // the file, or "environment"
};

class Source {
 public:
  virtual void write_metrics(
      metrics::Exposition& out) const = 0;  // the families that are not in the snapshot
  virtual const health::History& history() const = 0;
  virtual TrafficReport traffic() const = 0;
  virtual const About& about() const = 0;
  virtual std::optional<TimePoint> next_run(
      std::size_t check) const = 0;  // empty: under way, or not yet known

  virtual std::size_t lost_check_threads() const = 0;  // left behind, and their code has not returned

 protected:
  ~Source() = default;
};

}  // namespace probegate::probe
