#include "proxy/refusal.h"

#include <nlohmann/json.hpp>

#include "proto/head_rules.h"
#include "proto/http_forward.h"

namespace probegate::proxy {
namespace {

using metrics::Reason;

int status_of(Reason reason) {
  switch (reason) {
    case Reason::gate_closed:
    case Reason::hold_timeout:
    case Reason::hold_full:
    case Reason::draining:
    case Reason::connection_limit:
    case Reason::auth_unavailable: return 503;
    case Reason::backend_unreachable:
    case Reason::backend_error: return 502;
    case Reason::backend_timeout: return 504;
    case Reason::auth_denied:
    case Reason::origin_denied: return 403;
    case Reason::bad_request: return 400;
    case Reason::header_timeout: return 408;
    case Reason::header_too_large: return 431;
    case Reason::body_too_large: return 413;
    case Reason::uri_too_long: return 414;
    case Reason::not_found: return 404;
    case Reason::loop_detected: return 508;
  }
  return 500;
}

// Base plus spread in seconds, by how soon coming back can help.
unsigned retry_after(Reason reason, unsigned random) {
  switch (reason) {
    case Reason::draining: return 1 + random % 3;
    case Reason::hold_full:
    case Reason::connection_limit: return 5 + random % 11;
    default: return 2 + random % 4;
  }
}

Relayed problem(const Refusal& refusal, std::string_view title) {
  const nlohmann::ordered_json document{{"type", "about:blank"},
                                        {"title", title},
                                        {"status", refusal.status},
                                        {"detail", refusal.detail},
                                        {"reason", metrics::to_string(refusal.reason)},
                                        {"waiting_for", refusal.waiting_for}};
  return {"Content-Type: application/problem+json\r\n",
          document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

}  // namespace

Refusal Refusal::of(Reason reason, std::string detail) {
  return of(reason, status_of(reason), std::move(detail));
}

Refusal Refusal::of(Reason reason, int status, std::string detail) {
  return Refusal{reason, status, std::move(detail)};
}

bool is_failure_of_backend(Reason reason) {
  return reason == Reason::backend_unreachable || reason == Reason::backend_timeout ||
         reason == Reason::backend_error;
}

std::string write_refusal(const Refusal& refusal, bool head_only, unsigned random, std::string_view date) {
  const std::string_view title = proto::reason_phrase(refusal.status);
  const Relayed content = refusal.relayed ? *refusal.relayed : problem(refusal, title);

  std::string out = "HTTP/1.1 " + std::to_string(refusal.status) + " ";
  out.append(title).append("\r\n").append(content.fields).append("Content-Length: ");
  out.append(std::to_string(content.body.size()));
  out.append("\r\nDate: ").append(date).append("\r\nCache-Control: no-store\r\nProbegate-Reason: ");
  out.append(metrics::to_string(refusal.reason)).append("\r\n");
  if (refusal.status == 503) {
    out.append("Retry-After: ").append(std::to_string(retry_after(refusal.reason, random))).append("\r\n");
  }
  if (refusal.status == 405) out.append("Allow: ").append(proto::usual_methods()).append("\r\n");
  if (refusal.status == 426) out.append("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
  out.append(refusal.status == 426 ? "Connection: close, Upgrade\r\n\r\n" : "Connection: close\r\n\r\n");
  if (!head_only) out.append(content.body);
  return out;
}

std::string write_own_options(std::string_view date) {
  std::string out = "HTTP/1.1 204 No Content\r\nDate: ";
  out.append(date).append("\r\nAllow: ").append(proto::usual_methods());
  return out.append("\r\nConnection: close\r\n\r\n");
}

}  // namespace probegate::proxy
