// DataLoopMetrics: the metrics of one data loop. The exposition adds the loops up.
//
// Thread: written by its data loop only, read by the control loop at any time. Each loop has its own object
// on its own cache lines.
#pragma once

#include "metrics/counters.h"

namespace probegate::metrics {

inline constexpr std::size_t kCacheLine = 64;

struct alignas(kCacheLine) DataLoopMetrics {
  // First and together, because these are updated per message.
  PerLabel<Direction, Counter> tunnel_messages;
  PerLabel<Direction, Counter> tunnel_bytes;  // payload and framing, as relayed

  Gauge tunnels;  // open now
  Gauge busy;     // tunnels, requests in flight and held ones; what a drain waits for
  PerLabel<TunnelCause, Counter> tunnel_ends;
  PerLabel<UpgradeResult, Counter> upgrades;
  Histogram upgrade_duration;  // end of the request head to the verified 101

  CodeCounters requests;  // every answer given to a client, ours and the backend's
  Histogram
      request_duration;  // end of the request head to the last byte of the answer; upgrades not included
  PerLabel<Reason, Counter> refused;
  // Not exposed. They separate the answers above into those to upgrades and those to other requests. Only
  // unsuccessful requests are counted, so a successful one costs nothing.
  PerLabel<Reason, Counter> upgrades_refused;      // by us; a part of `refused`
  PerLabel<CodeClass, Counter> upgrades_answered;  // not by 101; a part of `requests`
  PerLabel<CodeClass, Counter> upgrades_failed;    // a part of these: the backend's answers
  Counter refused_below_500;                       // requests other than upgrades, or without an answer

  Gauge held;              // waiting for the gate now
  Histogram hold_seconds;  // every hold that ended, however

  PerLabel<AuthResult, Counter> auth_requests;
  Histogram auth_duration;                 // of requests sent to the auth service
  DurationCounter auth_prevented_seconds;  // waiting time saved by the open breaker or the pre-check
};

}  // namespace probegate::metrics
