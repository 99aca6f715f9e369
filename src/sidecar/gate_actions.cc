#include "sidecar/gate_actions.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/utf8.h"
#include "config/scalars.h"
#include "probe/drain_and_pause.h"

namespace probegate::sidecar {
namespace {

using health::Json;
using probe::ActionOutcome;
using probe::ActionParameters;

ActionOutcome refusal(int status, std::string_view error, std::string_view detail) {
  return {status, health::dump(Json{{"error", error}, {"detail", detail}}) + "\n"};
}

// The last parameter of that name, as text that a log line and a page can show.
std::string text_of(const ActionParameters& parameters, std::string_view name, std::size_t most) {
  const auto found = std::find_if(parameters.rbegin(), parameters.rend(),
                                  [&](const auto& parameter) { return parameter.name == name; });
  if (found == parameters.rend()) return {};
  std::string text = valid_utf8(found->value);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return std::string(cut_utf8(text, most));
}

std::string actor(const ActionParameters& parameters, std::string_view action) {
  const auto by = text_of(parameters, "by", GateActions::kBy);
  return by.empty() ? "POST /" + std::string(action) : by;
}

}  // namespace

ActionOutcome GateActions::drain(const ActionParameters& parameters, const config::Drain& drain) {
  if (shutdown_.phase() != Phase::running) return state();
  auto by = actor(parameters, "drain");
  log_.info(
      "draining",
      {{"by", by}, {"delay", format_duration(drain.delay)}, {"timeout", format_duration(drain.timeout)}});
  shutdown_.drain(std::move(by), drain.delay, drain.timeout);
  return state();
}

ActionOutcome GateActions::resume(const ActionParameters& parameters) {
  if (shutdown_.ending())
    return refusal(409, "shutting down", "the process is shutting down; this drain cannot be resumed");
  if (!shutdown_.by_command() && !control_.snapshot()->pause) return state();
  log_.info("resumed", {{"by", actor(parameters, "resume")}});
  if (shutdown_.by_command()) {
    shutdown_.resume();
  } else {
    control_.resume();
  }
  return state();
}

ActionOutcome GateActions::pause(const ActionParameters& parameters) {
  if (shutdown_.phase() != Phase::running)
    return refusal(409, "draining", "the gate is draining; resume first, or wait for the process to end");
  Duration time = kPause;
  if (const auto text = text_of(parameters, "for", 64); !text.empty()) {
    const auto asked = config::parse_duration(text);
    if (!asked || *asked <= Duration::zero() || *asked > kLongestPause)
      return refusal(400, "bad request",
                     "`for` must be a duration above 0, such as 90s or 10m, of at most 1h");
    time = *asked;
  }
  control_.pause(actor(parameters, "pause"), text_of(parameters, "message", kMessage), time);
  return state();
}

ActionOutcome GateActions::state() const {
  const auto snapshot = control_.snapshot();
  const auto full = health::Details::full;  // whoever may act may see
  return {200, health::dump(Json{{"gate", health::to_string(snapshot->gate)},
                                 {"pause", probe::pause_json(*snapshot, full)},
                                 {"drain", probe::drain_json(*snapshot, control_.sessions_left(), full)}}) +
                   "\n"};
}

}  // namespace probegate::sidecar
