// What a client of a Redis Cluster has to know: slots, redirections, the cluster's state. Pure.
//
// hiredis knows nothing of clusters, and the library that does (hiredis-cluster) brings its own I/O.
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

// The slot of a key, from 0 to 16383: CRC16 of what stands in its first {…}, or of all of it.
int redis_slot(std::string_view key);

// The slots that the node which answered CLUSTER NODES serves by itself; empty for a replica.
std::vector<SlotRange> own_slots(std::string_view cluster_nodes);

// A key that begins with `prefix` and lies in one of the slots. `seed` keeps the keys of several apart.
// Precondition: there is a slot.
std::string key_in_slots(const std::string& prefix, const std::vector<SlotRange>& slots, std::uint32_t seed);

struct Redirection {
  bool ask = false;  // for this once: the slot is on its way to that node
  Endpoint to;
};

// "MOVED 866 10.0.0.2:6379" or "ASK …" in the answer of `asked`, whose host stands for one that is left out.
std::optional<Redirection> read_redirection(std::string_view error, const Endpoint& asked);

// What is wrong with the answer to CLUSTER INFO, if anything.
std::optional<health::CheckResult> judge_cluster_state(std::string_view cluster_info);

}  // namespace probegate::checks
