#include "proxy/refusal.h"

#include "base/json_text.h"
#include "proto/head_rules.h"
#include "proto/http_forward.h"
#include "proxy/refusal_for_browsers.h"

namespace probegate::proxy {
namespace {

using metrics::Reason;

int status_of(Reason reason) {
  switch (reason) {
    case Reason::gate_closed:
    case Reason::paused:
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

// Seconds, with a random spread; longer for reasons that last longer.
unsigned retry_after(Reason reason, unsigned random) {
  switch (reason) {
    case Reason::draining: return 1 + random % 3;
    case Reason::hold_full:
    case Reason::connection_limit: return 5 + random % 11;
    default: return 2 + random % 4;
  }
}

// Composed without a JSON document, to need little memory; if memory is short, only this refusal fails.
Relayed problem(const Refusal& refusal, std::string_view title) {
  constexpr std::size_t kUsualBody = 320;
  std::string body;
  body.reserve(kUsualBody);
  body.append(R"({"type":"about:blank","title":)");
  append_json_text(body, title);
  body.append(R"(,"status":)").append(std::to_string(refusal.status)).append(R"(,"detail":)");
  append_json_text(body, refusal.detail);
  body.append(R"(,"reason":)");
  append_json_text(body, metrics::to_string(refusal.reason));
  body.append(R"(,"waiting_for":[)");
  for (std::size_t i = 0; i < refusal.waiting_for.size(); ++i) {
    if (i > 0) body += ',';
    append_json_text(body, refusal.waiting_for[i]);
  }
  body.append("]}\n");
  return {"Content-Type: application/problem+json\r\n", std::move(body)};
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

std::string write_refusal(const Refusal& refusal, const RefusalForm& form) {
  const std::string_view title = proto::reason_phrase(refusal.status);
  const unsigned seconds = retry_after(refusal.reason, form.random);
  const Relayed content = form.page_for
                              ? refusal_page(refusal.reason, seconds, *form.page_for, form.repeatable)
                          : refusal.relayed ? *refusal.relayed
                                            : problem(refusal, title);

  std::string out = "HTTP/1.1 " + std::to_string(refusal.status) + " ";
  out.append(title).append("\r\n").append(content.fields).append("Content-Length: ");
  out.append(std::to_string(content.body.size()));
  out.append("\r\nDate: ").append(form.date).append("\r\nCache-Control: no-store\r\nProbegate-Reason: ");
  out.append(metrics::to_string(refusal.reason)).append("\r\n");
  if (refusal.status == 503) {
    out.append("Retry-After: ").append(std::to_string(seconds)).append("\r\n");
  }
  if (refusal.status == 405) out.append("Allow: ").append(proto::usual_methods()).append("\r\n");
  if (refusal.status == 426) out.append("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
  out.append(refusal.status == 426 ? "Connection: close, Upgrade\r\n\r\n" : "Connection: close\r\n\r\n");
  if (!form.head_only) out.append(content.body);
  return out;
}

std::string write_own_options(std::string_view date) {
  std::string out = "HTTP/1.1 204 No Content\r\nDate: ";
  out.append(date).append("\r\nAllow: ").append(proto::usual_methods());
  return out.append("\r\nConnection: close\r\n\r\n");
}

}  // namespace probegate::proxy
