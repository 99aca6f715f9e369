// Interprets a well-formed head and rejects ambiguous or incomplete ones: framing, host, target, upgrade,
// keep-alive (RFC 9112 sections 3, 6 and 9, RFC 9110 section 7). Pure; called from http_parser once the
// head's bytes are scanned.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proto/http_message.h"

namespace probegate::proto {

// The common methods, for Allow. Every other token is forwarded too, except CONNECT, because a gateway opens
// no tunnels, and TRACE, which would show a client the fields that we add for the backend.
const std::string& usual_methods();

// Fills in the parts of `head` that the scan did not. `path_storage` holds a path that is not a part
// of the target.
std::optional<HttpError> judge_request(RequestHead& head, std::string& path_storage);

std::optional<HttpError> judge_response(ResponseHead& head, bool to_head_request);

// RFC 9110 section 6.5.1: framing and routing fields are not allowed in trailers; in a request, neither are
// credentials, conditions and controls. `forbidden`, if not null, names more fields.
std::optional<HttpError> judge_trailers(const HeaderFields& trailers, bool of_request,
                                        const std::vector<std::string>* forbidden);

}  // namespace probegate::proto
