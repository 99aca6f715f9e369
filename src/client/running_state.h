// Reads /status of a running probegate. Tolerates missing and unknown keys, because the version may differ.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "loop/http_client.h"

namespace probegate::client {

struct CheckLine {
  std::string name;
  std::string status;
  std::optional<double> latency_ms;
  std::optional<double> since_seconds;  // ago
  std::string target;                   // what it checks; empty if unknown
  std::string why;                      // the error, or what it waits for
  std::string reason;                   // the error without its numbers, which change with every run
};

struct RunningState {
  nlohmann::ordered_json document;
  std::string status;
  std::string gate;
  std::vector<std::string> waiting_for;
  std::optional<double> uptime_seconds;
  std::optional<double> startup_seconds;
  std::string by_hand;  // "paused by ... until ...", "draining by ..., 3 sessions left"; empty if neither
  std::vector<CheckLine> checks;
  std::string restarts;               // "restart loop: 3 starts within 10m, ..."; empty if there is none
  std::string traffic;                // "3 tunnels, 120 messages, ..."; empty if unknown
  std::vector<std::string> clients;   // what clients get: upgrades, requests, auth breaker, connections
  std::vector<std::string> concerns;  // why the state is not good though the gate is open
  std::string error;                  // why the process itself is not healthy

  bool ready() const { return status == "ready"; }
};

// Fails if the answer is not from a probe port of probegate.
Result<RunningState> read_running_state(const loop::HttpResponse& response);

// "not_ready, gate starting, waiting for database, redis"
std::string headline(const RunningState& state);

}  // namespace probegate::client
