#include "sidecar/event_log.h"

namespace probegate::sidecar {
namespace {

using health::Event;
using health::EventKind;

std::string words(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

void log_gate(Log& log, const Event& event) {
  if (event.to == "draining") return;  // logged where it begins
  const std::string message = "gate " + event.to;
  if (event.to == "paused") {
    log.info(message, {{"from", event.from},
                       {"why", event.message},
                       {"seconds", to_seconds(event.took.value_or(Duration(0)))}});
  } else if (event.to == "open") {
    log.info(message,
             {{"from", event.from}, {"startup_seconds", to_seconds(event.took.value_or(Duration(0)))}});
  } else {
    const bool closed = event.to == "closed";
    const auto level = event.to == "failed" ? LogLevel::error : closed ? LogLevel::warn : LogLevel::info;
    log.write(level, message, {{"from", event.from}, {"waiting_for", words(event.waiting_for)}});
  }
}

void log_check(Log& log, const Event& event) {
  // Only means that the checks it needs have passed; its first result is logged.
  if (event.to == "unknown") return;
  const std::string message = "check " + event.check + " " + event.to;
  if (event.error && event.to == "fail") {
    // A first failure is normal while everything starts, so it is no warning; log_waiting() reports one that
    // stays.
    const auto level = event.from == "unknown" ? LogLevel::info : LogLevel::warn;
    log.write(level, message,
              {{"check", event.check},
               {"target", event.target},
               {"from", event.from},
               {"kind", health::to_string(event.error->kind)},
               {"error", event.error->message},
               {"failures", event.failures}});
  } else {
    log.info(message, {{"check", event.check},
                       {"target", event.target},
                       {"from", event.from},
                       {"latency_ms", to_millis(event.took.value_or(Duration(0)))},
                       {"failures", event.failures},
                       {"since_start_seconds", to_seconds(event.since_start)}});
  }
}

}  // namespace

void log_event(Log& log, const Event& event) {
  switch (event.kind) {
    case EventKind::gate: return log_gate(log, event);
    case EventKind::check: return log_check(log, event);
    case EventKind::frozen:
      return log.warn("process was suspended; interrupted checks are retried",
                      {{"seconds", to_seconds(event.took.value_or(Duration(0)))}});
    case EventKind::stuck:
      if (event.message.empty()) return log.info("all data loops respond again");
      return log.error("data loop blocked for 10 s; liveness fails", {{"loops", event.message}});
    case EventKind::backend_stopping:
      return log.info(
          "backend stopping",
          {{"why", event.message}, {"alerts_held_seconds", to_seconds(event.took.value_or(Duration(0)))}});
    case EventKind::connection_limit:
      return log.write(event.to == "reached" ? LogLevel::warn : LogLevel::info,
                       "connection limit " + event.to, {{"why", event.message}});
    case EventKind::clock: return log.warn("the clock jumped", {{"why", event.message}});
    // Logged where they occur, with details that the event does not have.
    case EventKind::start:
    case EventKind::startup_timeout:
    case EventKind::backend_refused:
    case EventKind::backend_restart:
    case EventKind::auth_breaker:
    case EventKind::reload: return;
  }
}

void log_waiting(Log& log, const health::Snapshot& now, Duration waited) {
  std::vector<std::string> names;
  std::string why;
  for (const auto index : now.waiting_for) {
    const auto& name = (*now.policies)[index].name;
    const auto& state = now.checks[index];
    names.push_back(name);
    const auto& target = (*now.policies)[index].target;
    why.append(why.empty() ? "" : "; ").append(name);
    why.append(target.empty() ? "" : " (" + target + ")").append(": ");
    if (state.error) {
      why.append(health::to_string(state.error->kind)).append(": ").append(state.error->message);
      why += " (" + std::to_string(state.consecutive_failures) + " in a row)";
    } else {
      why += health::to_string(state.status);
    }
  }
  log.warn("gate still " + std::string(health::to_string(now.gate)),
           {{"waited_seconds", to_seconds(waited)}, {"waiting_for", words(names)}, {"why", why}});
}

}  // namespace probegate::sidecar
