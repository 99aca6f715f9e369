#include "app/event_log.h"

namespace probegate::app {
namespace {

using health::Event;
using health::EventKind;

std::string words(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

void log_gate(Log& log, const Event& event) {
  const std::string message = "gate " + event.to;
  if (event.to == "open") {
    log.info(message,
             {{"from", event.from}, {"startup_seconds", to_seconds(event.took.value_or(Duration(0)))}});
  } else {
    const auto level = event.to == "failed" ? LogLevel::error : LogLevel::info;
    log.write(level, message, {{"from", event.from}, {"waiting_for", words(event.waiting_for)}});
  }
}

void log_check(Log& log, const Event& event) {
  // The checks it needs have passed; its own first result is what matters.
  if (event.to == "unknown") return;
  const std::string message = "check " + event.check + " " + event.to;
  if (event.error && event.to == "fail") {
    // While all starts together, a first failure is nothing to wake anybody for; one that stays is told
    // again.
    const auto level = event.from == "unknown" ? LogLevel::info : LogLevel::warn;
    log.write(level, message,
              {{"check", event.check},
               {"from", event.from},
               {"kind", health::to_string(event.error->kind)},
               {"error", event.error->message},
               {"failures", event.failures}});
  } else {
    log.info(message, {{"check", event.check},
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
      return log.warn("this process stood still; interrupted attempts are repeated",
                      {{"seconds", to_seconds(event.took.value_or(Duration(0)))}});
    case EventKind::stuck:
      if (event.message.empty()) return log.info("every data loop turns again");
      return log.error("a data loop has not turned for 10 s, liveness fails", {{"loops", event.message}});
    // These have a line of their own where they come from, with what only that place knows.
    case EventKind::start:
    case EventKind::startup_timeout:
    case EventKind::backend_refused:
    case EventKind::backend_restart:
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
    why.append(why.empty() ? "" : "; ").append(name).append(": ");
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

}  // namespace probegate::app
