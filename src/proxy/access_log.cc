#include "proxy/access_log.h"

#include <cstdio>

#include "base/text.h"
#include "proxy/trust.h"

namespace probegate::proxy {
namespace {

constexpr int kFirstFailure = 500;  // a status of the backend below this is the client's error, not a failure
constexpr std::size_t kLongestPath = 1024;
constexpr std::size_t kLongestMethod = 64;
constexpr std::size_t kLongestAgent = 256;

std::uint64_t millis(Duration d) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<Millis>(d).count());
}

// Without the query, and with control characters escaped.
std::string shown_path(const proto::RequestHead& request) {
  std::string_view path = request.path.empty() ? request.target : request.path;
  path = path.substr(0, path.find('?')).substr(0, kLongestPath);
  std::string shown;
  shown.reserve(path.size());
  for (const char c : path) {
    if (c > ' ' && c < '\x7f') {
      shown += c;
    } else {
      char escape[4];
      std::snprintf(escape, sizeof escape, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      shown += escape;
    }
  }
  return shown;
}

LogLevel level_of(int status) { return status >= kFirstFailure ? LogLevel::warn : LogLevel::info; }

std::string latency(Duration took) {
  const auto ms = millis(took);
  const std::string fraction = std::to_string(1000 + ms % 1000);
  return std::to_string(ms / 1000) + "." + fraction.substr(1) + "s";
}

}  // namespace

AccessLog::AccessLog(Environment& environment, Duration window)
    : environment_(environment), window_(window), deadline_(environment.wheel, *this) {}

AccessLog::~AccessLog() { tell_untold(); }

bool AccessLog::tells(LogLevel level, bool failure) const {
  if (!environment_.log.enabled(level)) return false;
  const auto wanted = environment_.config->log.access;
  return wanted == config::AccessLines::all || (wanted == config::AccessLines::failures && failure);
}

bool AccessLog::tells_of(int status) const { return tells(level_of(status), status >= kFirstFailure); }

void AccessLog::answered(const EndedRequest& request) {
  const int status = request.status;
  if (!tells_of(status)) return;
  const auto level = level_of(status);
  if (status == 101) return write(level, request, status, {}, {});
  const std::string size = std::to_string(request.bytes);
  write(level, request, status, {}, {{"httpRequest.responseSize", size}});
}

void AccessLog::cut_off(const EndedRequest& request, std::string_view why) {
  if (!tells(LogLevel::warn, true)) return;
  const std::string size = std::to_string(request.bytes);
  write(LogLevel::warn, request, request.status, "cut off",
        {{"httpRequest.responseSize", size}, {"detail", why}});
}

void AccessLog::client_left(const EndedRequest& request, std::string_view meanwhile) {
  if (!tells(LogLevel::info, true)) return;
  const std::string size = std::to_string(request.bytes);
  std::vector<LogField> fields{{"meanwhile", meanwhile}};
  if (request.status != 0) fields.insert(fields.begin(), {"httpRequest.responseSize", size});
  write(LogLevel::info, request, request.status, "client left", std::move(fields));
}

void AccessLog::refused(const EndedRequest& request, const Refusal& refusal) {
  const bool is_clients_fault = refusal.reason == metrics::Reason::bad_request;    // 501 and 505 too
  const bool is_failure = refusal.status >= kFirstFailure || refusal.status == 0;  // 0: not even an answer
  const auto level = is_failure && !is_clients_fault ? LogLevel::warn : LogLevel::info;
  if (!tells(level, true) || is_one_too_many(refusal.reason)) return;
  std::string waiting_for;
  for (const auto& name : refusal.waiting_for) waiting_for += (waiting_for.empty() ? "" : " ") + name;
  const std::string outcome = "refused: " + std::string(metrics::to_string(refusal.reason));
  std::vector<LogField> fields{{"reason", metrics::to_string(refusal.reason)}, {"detail", refusal.detail}};
  if (!waiting_for.empty()) fields.emplace_back("waiting_for", waiting_for);
  const std::string backend = environment_.config->proxy.backend.endpoint.to_string();
  if (is_failure_of_backend(refusal.reason)) fields.emplace_back("backend", backend);
  write(level, request, refusal.status, outcome, std::move(fields));
}

bool AccessLog::is_one_too_many(metrics::Reason reason) {
  const auto now = environment_.loop.turn_ms();
  Repeats& repeats = repeats_[static_cast<std::size_t>(reason)];
  if (repeats.untold == 0 && now - repeats.began_ms >= millis(window_)) repeats = {now, 0, 0};
  if (repeats.told < kRefusalsTold) {
    ++repeats.told;
    return false;
  }
  ++repeats.untold;
  if (!deadline_.armed()) deadline_.arm(window_);
  return true;
}

void AccessLog::on_deadline(loop::Deadline&) { tell_untold(); }

void AccessLog::tell_untold() {
  const auto now = environment_.loop.turn_ms();
  for (std::size_t i = 0; i < repeats_.size(); ++i) {
    Repeats& repeats = repeats_[i];
    if (repeats.untold == 0) continue;
    const auto reason = metrics::to_string(static_cast<metrics::Reason>(i));
    environment_.log.warn(
        "suppressed " + std::to_string(repeats.untold) + " similar lines: " + std::string(reason),
        {{"reason", reason},
         {"more", repeats.untold},
         {"within_seconds", to_seconds(Millis(now - repeats.began_ms))}});
    repeats = {now, 0, 0};
  }
}

// The client: the peer, or the client that a trusted peer names.
std::string_view AccessLog::shown_client(const EndedRequest& request) const {
  if (!request.trusted || request.head == nullptr) return request.peer;
  const auto client = client_behind(request.peer, request.head->fields, environment_.config->proxy.trust);
  return client.substr(0, TunnelLogContext::kLongestText);
}

TunnelLogContext AccessLog::note(const EndedRequest& request) const {
  if (!environment_.log.enabled(LogLevel::info)) return {};
  return {shown_path(*request.head), shown_client(request), request.request_id,
          proto::trace_context(request.head->fields)};
}

void AccessLog::add_note(const TunnelLogContext& note, std::vector<LogField>& fields,
                         std::string& texts) const {
  if (note.empty()) return;
  fields.emplace_back("path", note.path());
  fields.emplace_back("request_id", note.request_id());
  if (const auto context = note.trace()) add_trace(*context, fields, texts);
}

void AccessLog::add_trace(const proto::TraceContext& context, std::vector<LogField>& fields,
                          std::string& texts) const {
  const auto& project = environment_.config->log.project;
  texts = project.empty() ? "" : "projects/" + project + "/traces/";
  texts.append(context.trace()).append(context.span());
  const std::string_view all = texts;
  const auto span = all.size() - context.span().size();
  fields.emplace_back("logging.googleapis.com/trace", all.substr(0, span));
  if (context.has_span()) fields.emplace_back("logging.googleapis.com/spanId", all.substr(span));
  fields.emplace_back("logging.googleapis.com/trace_sampled", context.sampled);
}

// `status` 0: no answer was given. `fields` views texts of the caller.
void AccessLog::write(LogLevel level, const EndedRequest& request, int status, std::string_view outcome,
                      std::vector<LogField> fields) {
  std::string message, path, protocol, trace;
  std::optional<proto::TraceContext> context;
  const std::string took = latency(request.took);
  std::vector<LogField> line;
  line.reserve(16);
  if (request.head != nullptr) {
    const auto& head = *request.head;
    path = shown_path(head);
    const auto method = head.method.substr(0, kLongestMethod);
    message.append(method).append(" ").append(path);
    protocol = "HTTP/1." + std::to_string(head.minor);
    line.emplace_back("httpRequest.requestMethod", method);
    line.emplace_back("httpRequest.requestUrl", path);
    line.emplace_back("httpRequest.protocol", protocol);
    const auto agent = head.fields.get("user-agent");
    if (!agent.empty()) line.emplace_back("httpRequest.userAgent", agent.substr(0, kLongestAgent));
    line.emplace_back("httpRequest.latency", took);
    context = proto::trace_context(head.fields);
  }
  const auto client = shown_client(request);
  if (!client.empty()) line.emplace_back("httpRequest.remoteIp", client);
  if (status != 0) {
    line.emplace_back("httpRequest.status", status);
    message.append(message.empty() ? "" : " ").append(std::to_string(status));
  }
  if (!outcome.empty()) message.append(message.empty() ? "" : " ").append(outcome);
  if (!request.request_id.empty())
    fields.emplace_back("request_id", request.request_id.substr(0, TunnelLogContext::kLongestText));
  if (context) add_trace(*context, fields, trace);
  line.insert(line.end(), fields.begin(), fields.end());  // those of httpRequest come first in `fields`
  environment_.log.write(level, message, line);
}

}  // namespace probegate::proxy
