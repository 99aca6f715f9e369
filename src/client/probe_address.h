// Finds the probe port of the running probegate, and describes its answers to people.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "loop/http_client.h"

namespace probegate::client {

struct ProbeAddress {
  std::string url;                       // "http://127.0.0.1:9090"
  std::optional<std::string> unix_path;  // set if the probe port is a unix socket
  std::string to_string() const;         // without user-info
};

// From --url, or from the first probes.listen of the configuration (-c, the default file, or PROBE_PORT). A
// wildcard address becomes loopback.
Result<ProbeAddress> find_probe_address(const std::optional<std::string>& url,
                                        const std::optional<std::string>& config);

loop::HttpRequest probe_request(const ProbeAddress& address, const std::string& path, Duration timeout);

// "503 not_ready, waiting for database, redis"; "503 not_ready, gate paused"
std::string describe_probe_answer(const loop::HttpResponse& response);

}  // namespace probegate::client
