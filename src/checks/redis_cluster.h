// Client functions for Redis Cluster: slots, redirections, cluster state. Pure.
//
// hiredis does not support clusters, and hiredis-cluster has its own I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/endpoint.h"
#include "health/check_result.h"

namespace probegate::checks {

using SlotRange = std::pair<int, int>;  // first and last

// The slot of a key, from 0 to 16383: CRC16 of the text in its first {…}, or of the whole key.
int redis_slot(std::string_view key);

// The slots of the node that answered CLUSTER NODES; empty for a replica.
std::vector<SlotRange> own_slots(std::string_view cluster_nodes);

// A key that begins with `prefix` and is in one of the slots. `seed` makes the keys of several instances
// different. Precondition: `slots` is not empty.
std::string key_in_slots(const std::string& prefix, const std::vector<SlotRange>& slots, std::uint32_t seed);

struct Redirection {
  bool ask = false;  // ASK: for one command only, while the slot is being migrated
  Endpoint to;
};

// Parses "MOVED 866 10.0.0.2:6379" or "ASK …" from node `asked`; an empty host means the host of `asked`.
std::optional<Redirection> read_redirection(std::string_view error, const Endpoint& asked);

// The error in the answer to CLUSTER INFO, if any.
std::optional<health::CheckResult> judge_cluster_state(std::string_view cluster_info);

}  // namespace probegate::checks
