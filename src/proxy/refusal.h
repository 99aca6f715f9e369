// Refusal: the answers that probegate gives itself, as application/problem+json (RFC 9457).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/labels.h"

namespace probegate::proxy {

// An answer of the auth service, passed on in place of a problem document.
struct Relayed {
  std::string fields;  // complete lines
  std::string body;
};

struct Refusal {
  metrics::Reason reason = metrics::Reason::bad_request;
  int status = 400;
  std::string detail;                         // one sentence for people
  std::vector<std::string> waiting_for = {};  // gate_closed and the hold reasons
  std::optional<Relayed> relayed = {};        // auth_denied

  // With the usual status of the reason, or with the given one: bad_request has that of the parser or of the
  // handshake (400, 426, 501...).
  static Refusal of(metrics::Reason reason, std::string detail);
  static Refusal of(metrics::Reason reason, int status, std::string detail);
};

bool is_failure_of_backend(metrics::Reason reason);

// How a refusal is written to this client.
struct RefusalForm {
  bool head_only = false;  // omits the body, as for HEAD
  unsigned random = 0;     // spreads Retry-After, so that refused clients do not all return together
  std::string_view date;   // now
  std::optional<std::string_view> page_for = {};  // a page for people, with this request id
  bool repeatable = true;                         // a browser may ask again by itself
};

// Head and body, ready to write; always with Content-Length and Connection: close.
std::string write_refusal(const Refusal& refusal, const RefusalForm& form);

// The answer to OPTIONS with Max-Forwards: 0.
std::string write_own_options(std::string_view date);

}  // namespace probegate::proxy
