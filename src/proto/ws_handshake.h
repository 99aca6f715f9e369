// The WebSocket opening handshake (RFC 6455 section 4), both ends of it: pure functions over heads.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http_message.h"

namespace probegate::proto {

// A fresh Sec-WebSocket-Key from 16 random bytes the caller supplies.
std::string websocket_key(std::span<const unsigned char, 16> random);
std::string websocket_accept(std::string_view key);

// What is wrong with a client's upgrade request (which already is GET, HTTP/1.1, Upgrade: websocket): 400 or
// 426.
struct HandshakeError {
  int status;
  std::string_view detail;
};
std::optional<HandshakeError> check_upgrade_request(const RequestHead& request);

// What a server's answer to an upgrade must fulfil, remembered from the request (copies; the head may be
// gone).
struct OfferedHandshake {
  std::string accept;                     // the only right Sec-WebSocket-Accept
  std::vector<std::string> subprotocols;  // offered
  std::vector<std::string> extensions;    // names offered, lower case
  static OfferedHandshake of(const RequestHead& request);
};
// Empty when the 101 is right; otherwise what is wrong with it, a sentence.
std::optional<std::string> check_upgrade_response(const ResponseHead& response,
                                                  const OfferedHandshake& offered);

}  // namespace probegate::proto
