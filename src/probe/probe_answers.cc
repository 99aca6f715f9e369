#include "probe/probe_answers.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "probe/health_metrics.h"
#include "probe/own_host.h"
#include "probe/process_metrics.h"
#include "probe/status_json.h"
#include "probe/status_page.h"
#include "proto/accept.h"

namespace probegate::probe {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kDraft = "application/health+json";
constexpr std::string_view kAllow = "Allow: GET, HEAD\r\n";
constexpr std::string_view kRetryAfter = "Retry-After: 1\r\n";  // probes are cheap, and a start takes seconds
std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 414: return "URI Too Long";
    case 422: return "Unprocessable Content";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "";
  }
}

// From the status line to "Content-Length: ", without Date: the part that is the same in every answer.
std::string begin_head(int status, std::string_view type, std::string_view extra_fields) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head.append(reason(status)).append("\r\nContent-Type: ").append(type);
  head.append("\r\nCache-Control: no-store\r\n").append(extra_fields);
  return head + "Content-Length: ";
}

std::string error_body(std::string_view error, std::string_view detail) {
  return nlohmann::ordered_json{{"error", error}, {"detail", detail}}.dump() + "\n";
}

}  // namespace

ProbeAnswers::ProbeAnswers(const Clock& clock, ProbeOptions options,
                           std::shared_ptr<const health::Snapshot> first, const Source& source)
    : clock_(clock), options_(std::move(options)), snapshot_(std::move(first)), source_(source) {}

void ProbeAnswers::publish(std::shared_ptr<const health::Snapshot> snapshot) {
  snapshot_ = std::move(snapshot);
  json_ = {};
  draft_ = {};
}

void ProbeAnswers::set_details(health::Details details) {
  options_.details = details;
  json_ = {};
  draft_ = {};
}

ProbeAnswers::Reply ProbeAnswers::answer(const ProbeRequest& request, std::string& out) {
  struct Route {
    std::string_view path;
    Page page;
  };
  static constexpr Route kRoutes[] = {
      {"/health/ready", Page::readiness},
      {"/readyz", Page::readiness},
      {"/health", Page::liveness},
      {"/health/live", Page::liveness},
      {"/livez", Page::liveness},
      {"/healthz", Page::liveness},
      {"/health/startup", Page::startup},
      {"/startup", Page::startup},
      {"/status", Page::status},
      {"/metrics", Page::metrics},
      {"/", Page::html},
      {"/events", Page::events},
  };
  const std::string_view path = request.path.substr(0, request.path.find('?'));
  if (const auto* action = find_action(request.path)) return judge_action(*action, request, out);
  const auto* route = std::find_if(std::begin(kRoutes), std::end(kRoutes),
                                   [&](const Route& candidate) { return candidate.path == path; });
  if (route == std::end(kRoutes)) {
    answer_text(404, kJson, {}, request,
                error_body("not found",
                           "valid paths are /health/startup, /health/ready, /health/live, /status, /metrics, "
                           "/ (status page) and /events"),
                out);
    return Reply::complete;
  }
  if (request.method != "GET" && request.method != "HEAD") {
    answer_text(405, kJson, kAllow, request, error_body("method not allowed", "allowed methods: GET, HEAD"),
                out);
    return Reply::complete;
  }
  const bool for_people =
      route->page == Page::status || route->page == Page::html || route->page == Page::events;
  if (for_people && !is_own_host(request.host, options_.hosts)) {
    answer_text(
        403, kJson, {}, request,
        error_body("host not allowed", "use localhost, an IP address or a name listed in probes.hosts"), out);
    return Reply::complete;
  }
  switch (route->page) {
    case Page::startup:
    case Page::readiness:
    case Page::liveness: answer_document(route->page, request, out); break;
    case Page::status: answer_status(request, out); break;
    case Page::metrics: answer_metrics(request, out); break;
    case Page::html: answer_html(request, out); break;
    case Page::events: return answer_events(request, out);
  }
  return Reply::complete;
}

ProbeAnswers::Reply ProbeAnswers::judge_action(const ActionName& name, const ProbeRequest& request,
                                               std::string& out) {
  const auto refusal = refuse_action(name, {request.method, request.path, request.host, request.action,
                                            request.local, request.has_origin, request.through_proxy});
  if (!refusal) return Reply::action;
  const bool method = refusal->status == 405;
  answer_text(refusal->status, kJson, method ? "Allow: POST\r\n" : "", request,
              error_body(method ? "method not allowed" : "refused", refusal->detail), out);
  return Reply::complete;
}

void ProbeAnswers::answer_action(const ActionOutcome& outcome, std::string& out) {
  ProbeRequest request;
  request.keep_alive = false;
  answer_text(outcome.status, kJson, {}, request, outcome.body, out);
}

void ProbeAnswers::refuse(int status, std::string_view detail, std::string& out) {
  ProbeRequest request;
  request.keep_alive = false;
  answer_text(status, kJson, status == 405 ? kAllow : "", request, error_body("bad request", detail), out);
}

void ProbeAnswers::answer_document(Page page, const ProbeRequest& request, std::string& out) {
  const bool draft = !request.accept.empty() && proto::prefers(request.accept, kDraft, {}, kJson);
  const Rendered& ready = rendered(page, draft);
  const bool with_body = request.method != "HEAD";
  out += ready.head;
  if (draft) {
    end_head(ready.fixed.size(), request, out);
    if (with_body) out += ready.fixed;
  } else {
    const std::string uptime = health::uptime_text(clock_.now() - snapshot_->started);
    end_head(ready.body.size(uptime), request, out);
    if (with_body) ready.body.append_to(out, iso8601(clock_.wall_now()), uptime);
  }
}

const ProbeAnswers::Rendered& ProbeAnswers::rendered(Page page, bool draft) {
  std::optional<Rendered>& slot = (draft ? draft_ : json_)[static_cast<std::size_t>(page)];
  if (slot) return *slot;

  using health::Document;
  const Document document = page == Page::startup    ? Document::startup
                            : page == Page::liveness ? Document::liveness
                                                     : Document::readiness;
  const bool ok = judge(document, *snapshot_).ok;
  slot.emplace();
  slot->head = begin_head(ok ? 200 : 503, draft ? kDraft : kJson,
                          ok ? "Vary: Accept\r\n" : "Vary: Accept\r\n" + std::string(kRetryAfter));
  if (draft) {
    slot->fixed = health_json(*snapshot_, document, options_.details, options_.version);
  } else {
    slot->body = readiness_json(*snapshot_, document, options_.details);
  }
  return *slot;
}

void ProbeAnswers::answer_status(const ProbeRequest& request, std::string& out) {
  const bool draft = proto::prefers(request.accept, kDraft, {}, kJson);
  const std::string body =
      draft ? health_json(*snapshot_, health::Document::readiness, options_.details, options_.version)
            : status_json(*snapshot_, source_, options_.details, options_.version, clock_.now(),
                          clock_.wall_now());
  answer_text(200, draft ? kDraft : kJson, "Vary: Accept\r\n", request, body, out);
}

// Streams events until the client leaves or the process ends.
ProbeAnswers::Reply ProbeAnswers::answer_events(const ProbeRequest& request, std::string& out) {
  if (!request.may_follow && request.method == "GET") {
    answer_text(503, kJson, kRetryAfter, request,
                error_body("too many viewers", "reload / or read /status instead"), out);
    return Reply::complete;
  }
  out += "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nDate: ";
  out.append(date_.at(clock_.wall_now())).append("\r\nConnection: close\r\n\r\n");
  return request.method == "GET" ? Reply::stream : Reply::last;
}

void ProbeAnswers::append_event(std::string& out) {
  const std::string fragment = status_fragment(view());
  std::string_view rest = fragment;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    out.append("data: ").append(line).append("\n");
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  out += '\n';
}

void ProbeAnswers::answer_metrics(const ProbeRequest& request, std::string& out) {
  const bool open = proto::prefers(request.accept, "application/openmetrics-text", "1.0.0", "text/plain");
  const auto format = open ? metrics::Format::openmetrics : metrics::Format::prometheus_text;
  metrics::Exposition exposition(format);
  write_health(exposition, *snapshot_, source_.traffic().total.busy, options_.version);
  source_.write_metrics(exposition);
  write_process(exposition);
  answer_text(200, content_type(format), "Vary: Accept\r\n", request, std::move(exposition).finish(), out);
}

void ProbeAnswers::answer_html(const ProbeRequest& request, std::string& out) {
  const std::string fields = "Content-Security-Policy: " + std::string(page_security_policy()) +
                             "\r\nX-Content-Type-Options: nosniff\r\n";
  answer_text(200, "text/html; charset=utf-8", fields, request, status_page(view()), out);
}

StatusView ProbeAnswers::view() const {
  return {*snapshot_, source_, options_.details, options_.version, clock_.now(), clock_.wall_now()};
}

void ProbeAnswers::answer_text(int status, std::string_view type, std::string_view extra_fields,
                               const ProbeRequest& request, std::string_view body, std::string& out) {
  out += begin_head(status, type, extra_fields);
  end_head(body.size(), request, out);
  if (request.method != "HEAD") out += body;
}

void ProbeAnswers::end_head(std::size_t content_length, const ProbeRequest& request, std::string& out) {
  char length[24];
  out.append(length, std::to_chars(length, length + sizeof length, content_length).ptr);
  out.append("\r\nDate: ").append(date_.at(clock_.wall_now()));
  if (!request.keep_alive) {
    out += "\r\nConnection: close";
  } else if (request.minor == 0) {
    out += "\r\nConnection: keep-alive";  // RFC 9112 section 9.3: HTTP/1.0 needs the field
  }
  out += "\r\n\r\n";
}

}  // namespace probegate::probe
