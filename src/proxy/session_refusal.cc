// The answers that a session gives by itself: refusals, in the form that the client can show, and OPTIONS.
// The rest of Session is in session.cc.
#include "proto/accept.h"
#include "proto/ws_handshake.h"
#include "proxy/access_log.h"
#include "proxy/refusal_for_browsers.h"
#include "proxy/request_id.h"
#include "proxy/session.h"

namespace probegate::proxy {

void Session::refuse(const Refusal& refusal) {
  auto& counts = environment_.metrics;
  counts.refused[refusal.reason].add();
  counts.requests.add(refusal.status);
  // The method is known even if the head was refused for something after its first line.
  const bool head_only = parser_->request().method == "HEAD";
  if (head_seen_ && parser_->request().upgrade_websocket) {
    counts
        .upgrades[is_failure_of_backend(refusal.reason) ? metrics::UpgradeResult::failed
                                                        : metrics::UpgradeResult::refused]
        .add();
    counts.upgrades_refused[refusal.reason].add();
    counts.upgrades_answered[metrics::CodeCounters::class_of(refusal.status)].add();
  } else if (refusal.status < 500) {
    counts.refused_below_500.add();
  }
  const std::string answer = write_answer(refusal, head_only);
  forwarding_.reset();
  if (!client_.write(answer)) return end();
  linger();
}

// Logs the refusal, and writes it in the form that this client can show.
std::string Session::write_answer(const Refusal& refusal, bool head_only) {
  EndedRequest ended = ended_request();
  const auto& request = parser_->request();
  const auto close_code = refusal_close_code(refusal.reason);
  const bool upgrade = head_seen_ && request.upgrade_websocket;
  const bool by_close = upgrade && close_code && environment_.config->proxy.websocket.refuse_by_close &&
                        !proto::check_upgrade_request(request);
  const bool as_page =
      head_seen_ && !upgrade && refusal.status == 503 &&
      proto::prefers(request.fields.get("accept"), "text/html", {}, "application/problem+json");
  const std::string made_id =
      as_page && ended.request_id.empty() ? new_request_id(environment_.random) : std::string();
  if (!made_id.empty()) ended.request_id = made_id;
  ended.request_id = ended.request_id.substr(0, TunnelLogContext::kLongestText);
  environment_.access->refused(ended, refusal);
  if (by_close) return write_refusal_by_close(refusal.reason, *close_code, request, environment_.http_date());
  RefusalForm form{head_only, static_cast<unsigned>(environment_.random()), environment_.http_date()};
  if (as_page) form.page_for = ended.request_id;
  form.repeatable = head_only || request.method == "GET";
  return write_refusal(refusal, form);
}

void Session::answer_options() {
  environment_.metrics.requests.add(204);
  const std::string answer = write_own_options(environment_.http_date());
  EndedRequest request = ended_request();
  request.status = 204;
  request.bytes = answer.size();
  environment_.access->answered(request);
  if (!client_.write(answer)) return end();
  linger();
}

}  // namespace probegate::proxy
