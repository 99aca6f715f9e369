// The requests to the auth service, and the meaning of its answers. Pure.
//
// As with nginx's auth_request and Traefik's forwardAuth: a GET with the chosen fields of the request and
// X-Forwarded-*; a 2xx lets the request pass, 401 and 403 are relayed to the client, and everything else
// counts as no answer.
#pragma once

#include <string>
#include <string_view>

#include "config/config.h"
#include "loop/http_client.h"
#include "proto/http_forward.h"
#include "proto/http_message.h"

namespace probegate::proxy {

loop::HttpRequest auth_request(const config::Auth& auth, const proto::RequestHead& request,
                               const proto::ClientView& client);

struct AuthAnswer {
  enum class Kind { allowed, denied, unavailable };
  Kind kind = Kind::unavailable;
  int status = 0;      // denied
  std::string fields;  // complete lines: allowed: for the backend; denied: for the client
  std::string body;    // denied
  std::string why;     // unavailable: one sentence for the log
  bool ours = false;   // unavailable for a local reason, such as no descriptors; the service is not to blame
};
AuthAnswer judge_auth(const config::Auth& auth, const loop::HttpClient::Outcome& outcome);

// True if the request carries the secret of the bypass. Its run time does not depend on the secret.
bool carries_bypass(const config::Auth& auth, const proto::RequestHead& request);

}  // namespace probegate::proxy
