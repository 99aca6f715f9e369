// The report's arithmetic: readings of a running probegate added up into rows, one a minute. Pure.
//
// A row counts what happened between two readings. After a restart the counters begin at zero, so all that
// the new process counted is added; what the old one counted after its last reading is lost.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "client/prometheus_text.h"
#include "config/conditions.h"

namespace probegate::client {

// What one look at /metrics saw.
struct Reading {
  std::map<std::string, double> counters;        // by our own names, below
  std::map<std::string, double> refused;         // by reason
  std::map<std::string, double> check_failures;  // by check
  std::optional<double> rss_bytes;
  double tunnels = 0;

  static Reading of(const MetricSamples& samples);
  bool fell_below(const Reading& before) const;  // true if a counter did: this is another process
};

inline constexpr const char* kMessages = "messages";
inline constexpr const char* kRequests = "requests";
inline constexpr const char* kAccepted = "upgrades_accepted";
inline constexpr const char* kUpgradesRefused = "upgrades_refused";
inline constexpr const char* kFailed = "upgrades_failed";
inline constexpr const char* kTunnelLost = "tunnel_lost";
inline constexpr const char* kBackendRestarts = "backend_restarts";

struct Row {
  int minute = 1;
  WallTime from{};
  Duration length{0};
  std::map<std::string, double> counts;
  std::map<std::string, double> refused;
  std::map<std::string, double> check_failures;
  std::optional<double> rss_bytes;  // the maximum; empty if unreachable
  double tunnels = 0;               // the maximum
  int restarts = 0;
  Duration unreachable{0};
  std::string state;  // of /status: "ready", or the latest other state

  void add(const Reading& before, const Reading& now, bool restarted);
  void merge(const Row& later);

  double count(const char* name) const;
  double messages_per_minute() const;  // scaled if the row is not a minute long
  config::Span span() const;           // for conditions
  double refused_total() const;
  double failures_total() const;
};

}  // namespace probegate::client
