// The WebSocket opening handshake (RFC 6455 section 4), client and server side: pure functions on heads.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http_message.h"

namespace probegate::proto {

// A new Sec-WebSocket-Key from 16 random bytes.
std::string websocket_key(std::span<const unsigned char, 16> random);
std::string websocket_accept(std::string_view key);

// The error in a client's upgrade request (already known to be GET, HTTP/1.1, Upgrade: websocket):
// 400 or 426.
struct HandshakeError {
  int status;
  std::string_view detail;
};
std::optional<HandshakeError> check_upgrade_request(const RequestHead& request);

// The expected answer to an upgrade, copied from the request, so that the request head may be released.
struct OfferedHandshake {
  std::string accept;                     // the expected Sec-WebSocket-Accept
  std::vector<std::string> subprotocols;  // offered
  std::vector<std::string> extensions;    // names offered, lower case
  static OfferedHandshake of(const RequestHead& request);
};
// Empty if the 101 is valid; otherwise the error.
std::optional<std::string> check_upgrade_response(const ResponseHead& response,
                                                  const OfferedHandshake& offered);

}  // namespace probegate::proto
