// The settings of a websocket check, read from its keys or from the arguments of `smoke`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/result.h"
#include "checks/check.h"
#include "checks/expectations.h"
#include "checks/refused_answer.h"
#include "checks/websocket_visit.h"
#include "loop/tls.h"

namespace probegate::checks {

struct WebSocketSettings {
  Endpoint endpoint;
  std::optional<loop::TlsSettings> tls;
  int min_days_left = 0;
  std::string head;  // head of the request, without Sec-WebSocket-Key and the empty line
  std::vector<std::string> subprotocols;
  StatusSet status;          // expected status; only 101 continues with frames
  RefusedQuestion question;  // for the message about an unexpected status
  bool ping = true;
  std::optional<std::string> send;
  std::optional<std::string> expect;
  VisitSteps on_step = {};  // for `smoke`, which ends with the peer's Close and not with ours
};

// Both also set the secrets and the target of `plan`. Problems are reported to spec.fields.
WebSocketSettings read_websocket_settings(const config::CheckSpec& spec, const config::Config& config,
                                          CheckPlan& plan);
Result<WebSocketSettings> websocket_visit_settings(const WebSocketVisit& visit, CheckPlan& plan);

}  // namespace probegate::checks
