// What must be known of a request's URL before curl sees it. Pure.
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
  std::string url;  // what curl is given

  // Set where the URL's host was replaced by the name to verify: what the peer still sees as Host, and where
  // curl connects ("::host:port"), which also keeps peers that share a name from sharing a connection.
  std::string host_header;
  std::string connect_to;
};

// The error never shows the URL's user-info.
Result<HttpTarget> parse_http_target(const HttpRequest& request);

}  // namespace probegate::loop
