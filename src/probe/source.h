// Source: what the probe port shows in addition to the snapshot. Called only for a request that shows it.
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
  std::deque<metrics::Refusals> refusals;  // oldest first
  metrics::ConnectionLimit connections = {};
  std::optional<bool> auth_breaker_open = {};  // empty without an auth service
};

// Identifies the instance, to distinguish the pages of several replicas.
struct About {
  std::string service;   // the name of the Cloud Run service, or the host name
  std::string instance;  // the host name
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
      std::size_t check) const = 0;  // empty: running now, or not yet known

  virtual std::size_t lost_check_threads() const = 0;  // abandoned, and not returned yet

 protected:
  ~Source() = default;
};

}  // namespace probegate::probe
