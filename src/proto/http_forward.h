// Rewriting heads for the next hop (RFC 9110 section 7.6, RFC 9112): what is dropped, what is added, and how
// a head is written. Pure: appends to a buffer of the caller.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/http_message.h"

namespace probegate::proto {

// Who the client is, for X-Forwarded-*.
struct ClientView {
  std::string_view address;  // without port; empty for a unix socket, which adds no X-Forwarded-For entry
  bool trusted = false;      // X-Forwarded-* of this peer is appended to, otherwise replaced
  std::string_view scheme = "http";
  std::string_view request_id;  // used when the request brought none
};

// The request's head for the backend, appended to `out`. Hop-by-hop fields and those Connection names are
// dropped (Transfer-Encoding is written again for a chunked body); on an upgrade exactly "Connection:
// Upgrade" and "Upgrade: websocket" are put back. `drop` names further fields to leave out; `add` is written
// verbatim (complete lines).
void write_request_head(const RequestHead& request, const ClientView& client,
                        std::string_view backend_authority, const std::vector<std::string>& drop,
                        std::string_view add, std::string& out);

enum class ConnectionField { none, keep_alive, close, upgrade };
// The response's head for the client, appended to `out`. `trailers`: those of a chunked body go on, and so
// does their announcement.
void write_response_head(const ResponseHead& response, int client_minor, ConnectionField connection,
                         bool trailers, std::string& out);

std::string_view reason_phrase(int status);

}  // namespace probegate::proto
