// What a websocket check is told to ask: as read from its keys, or from the words of a visit.
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
  std::string head;  // of the request, without the key and the empty line
  std::vector<std::string> subprotocols;
  StatusSet status;          // of the answer; 101 alone leads to a conversation
  RefusedQuestion question;  // for the words about another status
  bool ping = true;
  std::optional<std::string> send;
  std::optional<std::string> expect;
  VisitSteps on_step = {};  // for a visit, which ends with the peer's Close and not with ours
};

// Both also say what `plan` must hide and how it names the endpoint. Problems are reported to spec.fields.
WebSocketSettings read_websocket_settings(const config::CheckSpec& spec, const config::Config& config,
                                          CheckPlan& plan);
Result<WebSocketSettings> websocket_visit_settings(const WebSocketVisit& visit, CheckPlan& plan);

}  // namespace probegate::checks
