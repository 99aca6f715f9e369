// What a well-formed head means, and which heads mean too much or too little: framing, host, target, upgrade,
// keep-alive (RFC 9112 sections 3, 6 and 9, RFC 9110 section 7). Pure; called from http_parser once the
// head's bytes are scanned.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proto/http_message.h"

namespace probegate::proto {

// For Allow: the usual ones. Every other token is passed on too, but CONNECT, which asks for a tunnel that a
// gateway has no business with, and TRACE, which shows a client the fields that we add for the backend alone.
const std::string& usual_methods();

// Fills in everything of `head` that the scan did not. `path_storage` holds a path that is no part of the
// target.
std::optional<HttpError> judge_request(RequestHead& head, std::string& path_storage);

std::optional<HttpError> judge_response(ResponseHead& head, bool to_head_request);

// RFC 9110 section 6.5.1: fields that say where a message ends or where it goes have no place behind the
// body, and in a request neither have those that say who asks, or what is to be done; `forbidden`, if not
// null, names more of them.
std::optional<HttpError> judge_trailers(const HeaderFields& trailers, bool of_request,
                                        const std::vector<std::string>* forbidden);

}  // namespace probegate::proto
