// Prepares the URL of a request for curl. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "loop/http_client.h"

namespace probegate::loop {

struct HttpTarget {
  bool https = false;
  std::string host;  // IPv6 without brackets
  std::uint16_t port = 0;
  std::string url;  // the URL for curl

  // Set if the URL's host was replaced by the name to verify: the original Host, and the address to connect
  // to ("::host:port"), which also prevents peers with the same name from sharing a connection.
  std::string host_header;
  std::string connect_to;
};

// The error never shows the URL's user-info.
Result<HttpTarget> parse_http_target(const HttpRequest& request);

}  // namespace probegate::loop
