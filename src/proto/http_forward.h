// Rewrites heads for the next hop (RFC 9110 section 7.6, RFC 9112): removes, adds and formats fields. Pure:
// appends to a buffer of the caller.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/http_message.h"

namespace probegate::proto {

// The client, for X-Forwarded-*.
struct ClientView {
  std::string_view address;  // without port; empty: adds no X-Forwarded-For entry
  bool trusted = false;      // X-Forwarded-* of this peer is appended to, otherwise replaced
  std::string_view scheme = "http";
  std::string_view request_id;  // used when the request has none
};

// How this instance identifies itself to other hops (RFC 9110 section 7.6.3), and detects a request loop.
struct Hop {
  std::string_view name = "probegate";
  bool via = true;  // false: requests carry the name in a Probegate-Hop field instead
};

// The request's head for the backend, appended to `out`. Hop-by-hop fields and those Connection names are
// dropped (Transfer-Encoding is written again for a chunked body); on an upgrade exactly "Connection:
// Upgrade" and "Upgrade: websocket" are put back. `drop` names further fields to leave out; `add` is written
// verbatim (complete lines).
void write_request_head(const RequestHead& request, const ClientView& client, const Hop& hop,
                        std::string_view backend_authority, const std::vector<std::string>& drop,
                        std::string_view add, std::string& out);

enum class ConnectionField { none, keep_alive, close, upgrade };
// Properties of a response head in addition to its own fields.
struct AnswerView {
  int client_minor = 1;
  ConnectionField connection = ConnectionField::none;
  bool trailers = false;       // forward the trailers of a chunked body, and their Trailer field
  std::string_view via = {};   // our name; empty: no Via of ours
  std::string_view date = {};  // for a final answer that has none; empty: none is added
};
// The response's head for the client, appended to `out`.
void write_response_head(const ResponseHead& response, const AnswerView& view, std::string& out);

std::string_view reason_phrase(int status);

}  // namespace probegate::proto
