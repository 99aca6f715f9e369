#include "alerts/policy.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/text.h"

namespace probegate::alerts {
namespace {

using health::EventKind;

constexpr std::string_view kKindWords[] = {"ready",   "startup_timeout", "check_down", "check_up",
                                           "restart", "flapping",        "threshold"};
static_assert(std::size(kKindWords) == kKinds);

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// In whole seconds, which is precise enough for an outage.
std::string rounded(Duration d) { return format_duration(std::chrono::round<std::chrono::seconds>(d)); }

// "check database (10.0.0.5:5432/app)"
std::string named(const std::string& check, const std::string& target) {
  return "check " + check + (target.empty() ? "" : " (" + target + ")");
}

std::string reason_of(const health::Event& event) {
  if (!event.error) return {};
  return ": " + std::string(health::to_string(event.error->kind)) + ": " + event.error->message;
}

}  // namespace

std::string_view to_string(Kind kind) { return kKindWords[static_cast<std::size_t>(kind)]; }

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::event: return "event";
    case Phase::firing: return "firing";
    case Phase::reminder: return "reminder";
    case Phase::resolved: return "resolved";
  }
  return "event";
}

void Policy::set_options(const PolicyOptions& options) {
  options_ = options;
  std::erase_if(troubles_, [&](const auto& entry) {
    return entry.second.kind == Kind::threshold &&
           std::none_of(options.thresholds.begin(), options.thresholds.end(),
                        [&](const config::Condition& condition) { return condition.text == entry.first; });
  });
  std::erase_if(held_, [&](const auto& entry) { return !troubles_.contains(entry.first); });
}

void Policy::begin_late(bool opened, const std::vector<std::string>& failing, Moment moment) {
  opened_ = opened;
  for (const auto& check : failing) {
    checks_[check] = {.down = true, .since = moment.wall, .fell = moment.now, .changed = moment.now};
    if (opened && options_.wants(Kind::check_down)) {
      troubles_[check] = {Kind::check_down, "check " + check + " is down", moment.wall, moment.now,
                          moment.now};
    }
  }
}

void Policy::keep_checks(const std::vector<std::string>& names) {
  const auto gone = [&](const auto& entry) {
    return std::find(names.begin(), names.end(), entry.first) == names.end();
  };
  std::erase_if(troubles_, [&](const auto& entry) { return checks_.contains(entry.first) && gone(entry); });
  std::erase_if(held_, [&](const auto& entry) { return !troubles_.contains(entry.first); });
  std::erase_if(checks_, gone);
}

std::vector<Message> Policy::on_event(const health::Event& event, TimePoint now) {
  std::vector<Message> out;
  const Moment moment{now, event.wall};
  switch (event.kind) {
    case EventKind::check: on_check(event, now, out); break;
    case EventKind::gate:
      if (event.to == "open" && !opened_) on_opened(event, now, out);
      if (event.to == "draining") tell_held(now, out);
      if (event.to == "draining") hold_for(event.took.value_or(Duration(0)), now);  // a planned stop
      break;
    case EventKind::startup_timeout:
      fire(Kind::startup_timeout, "startup",
           "startup timed out, still waiting for " + joined(event.waiting_for), {event.wall, now}, moment,
           out);
      break;
    case EventKind::start:
      if (!event.message.empty()) {
        tell({Kind::restart, Phase::event, "probegate", event.message, event.wall}, out);
      }
      break;
    case EventKind::backend_restart:
      if (!quiet(now)) on_backend_restart(moment, out);
      break;
    case EventKind::backend_stopping:
      tell_held(now, out);  // alerts held back for an earlier stop
      hold_for(event.took.value_or(Duration(0)), now);
      break;
    default: break;
  }
  return out;
}

void Policy::on_check(const health::Event& event, TimePoint now, std::vector<Message>& out) {
  Watch& watch = checks_[event.check];
  const Moment moment{now, event.wall};
  if (event.to == "fail" && !watch.down) {
    watch.down = true;
    watch.since = event.wall;
    watch.fell = now;
    watch.why = reason_of(event);
    watch.target = event.target;
    watch.of_backend = event.of_backend;
    if (opened_) fell(event.check, watch, moment, out);
  } else if ((event.to == "pass" || event.to == "warn") && watch.down) {
    watch.down = false;
    if (opened_) rose(event.check, watch, moment, out);
  }
}

void Policy::fell(const std::string& check, Watch& watch, Moment moment, std::vector<Message>& out) {
  watch.changed = moment.now;
  watch.falls.push_back(moment.now);
  while (moment.now - watch.falls.front() > kFlapWindow) watch.falls.pop_front();
  if (watch.flapping) return;
  if (watch.falls.size() >= kFlaps && options_.wants(Kind::flapping)) {
    watch.flapping = true;
    fire(Kind::flapping, check,
         named(check, watch.target) + " is flapping: down " + std::to_string(watch.falls.size()) +
             " times within " + format_duration(kFlapWindow) + watch.why,
         {watch.since, watch.fell}, moment, out);
    return;
  }
  fire(Kind::check_down, check, named(check, watch.target) + " is down" + watch.why,
       {watch.since, watch.fell}, moment, out, watch.of_backend ? kBackendPause : Duration(0));
}

void Policy::rose(const std::string& check, Watch& watch, Moment moment, std::vector<Message>& out) {
  watch.changed = moment.now;
  if (watch.flapping) return;
  troubles_.erase(check);
  if (held_.erase(check) > 0) return;  // the failure was not reported either
  tell({Kind::check_up, Phase::resolved, check,
        named(check, watch.target) + " is up again after " + rounded(moment.now - watch.fell), moment.wall,
        watch.since},
       out);
}

void Policy::on_opened(const health::Event& event, TimePoint now, std::vector<Message>& out) {
  opened_ = true;
  const Moment moment{now, event.wall};
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.1f", to_seconds(event.took.value_or(Duration(0))));
  const std::string text = "ready: the gate opened " + std::string(seconds) + " s after the start";
  if (options_.wants(Kind::ready)) {
    const bool late = troubles_.erase("startup") > 0;
    tell({Kind::ready, late ? Phase::resolved : Phase::event, "startup", text, event.wall}, out);
  } else {
    resolve(Kind::startup_timeout, "startup", text, moment, out);
  }
  // Checks that do not affect the startup may already be failing.
  for (auto& [check, watch] : checks_) {
    if (watch.down) fell(check, watch, moment, out);
  }
}

void Policy::on_backend_restart(Moment moment, std::vector<Message>& out) {
  if (restarts_.told && moment.now - *restarts_.told < kRestartPause) {
    ++restarts_.untold;
    return;
  }
  restarts_.told = moment.now;
  tell({Kind::restart, Phase::event, "backend", "the backend restarted", moment.wall}, out);
}

std::vector<Message> Policy::on_window(const config::Span& span, Moment moment) {
  std::vector<Message> out;
  if (!std::exchange(window_began_open_, opened_)) return out;
  for (const auto& condition : options_.thresholds) judge(condition, span, moment, out);
  return out;
}

void Policy::judge(const config::Condition& condition, const config::Span& span, Moment moment,
                   std::vector<Message>& out) {
  const auto value = condition.value(span);
  char number[32] = "unknown";
  if (value) std::snprintf(number, sizeof number, "%.10g", *value);
  const bool holds = condition.holds(span);
  std::string text = condition.name + " was " + number + " in the last " + rounded(span.length) +
                     (holds ? ", which is " : ", which is no longer ") +
                     condition.text.substr(condition.text.find_first_of("<>="));
  if (holds && !troubles_.contains(condition.text)) {
    fire(Kind::threshold, condition.text, std::move(text), {moment.wall, moment.now}, moment, out);
  } else if (!holds) {
    resolve(Kind::threshold, condition.text, std::move(text), moment, out);
  }
}

std::vector<Message> Policy::on_time(Moment moment) {
  std::vector<Message> out;
  tell_held(moment.now, out);
  for (auto& [check, watch] : checks_) {
    if (!watch.flapping || moment.now - watch.changed < kFlapWindow) continue;
    watch.flapping = false;
    watch.falls.clear();
    const std::string text = named(check, watch.target) + " has been " + (watch.down ? "down" : "up") +
                             " for " + format_duration(kFlapWindow);
    resolve(Kind::flapping, check, text, moment, out);
    // The text above has just reported that it is down.
    if (watch.down && options_.wants(Kind::check_down)) {
      troubles_[check] = {Kind::check_down, named(check, watch.target) + " is down" + watch.why, watch.since,
                          watch.fell, moment.now};
    }
  }
  for (auto& [subject, trouble] : troubles_) {
    if (options_.reminder == Duration::zero() || moment.now - trouble.told < options_.reminder) continue;
    if (held_.contains(subject)) continue;
    trouble.told = moment.now;
    tell({trouble.kind, Phase::reminder, subject,
          trouble.text + ", for " + rounded(moment.now - trouble.began) + " now", moment.wall, trouble.since},
         out);
  }
  if (restarts_.untold > 0 && moment.now - *restarts_.told >= kRestartPause) {
    restarts_.told = moment.now;
    const auto times = std::exchange(restarts_.untold, 0u);
    tell({Kind::restart, Phase::event, "backend",
          "the backend restarted " + std::to_string(times) + (times == 1 ? " more time" : " more times"),
          moment.wall},
         out);
  }
  return out;
}

std::optional<TimePoint> Policy::next_due() const {
  std::optional<TimePoint> next;
  const auto consider = [&](TimePoint due) { next = next ? std::min(*next, due) : due; };
  for (const auto& [check, watch] : checks_) {
    if (watch.flapping) consider(watch.changed + kFlapWindow);
  }
  for (const auto& [subject, trouble] : troubles_) {
    if (options_.reminder > Duration::zero() && !held_.contains(subject))
      consider(trouble.told + options_.reminder);
  }
  for (const auto& [subject, held] : held_) consider(held.due);
  if (restarts_.untold > 0) consider(*restarts_.told + kRestartPause);
  return next;
}

void Policy::fire(Kind kind, const std::string& subject, std::string text, Began began, Moment moment,
                  std::vector<Message>& out, Duration pause) {
  if (!options_.wants(kind)) return;
  troubles_[subject] = {kind, text, began.wall, began.at, moment.now};
  Message message{kind, Phase::firing, subject, std::move(text), moment.wall, began.wall};
  const TimePoint due = std::max(quiet_until_.value_or(moment.now), moment.now + pause);
  if (due > moment.now) {
    held_[subject] = {std::move(message), due};
  } else {
    tell(std::move(message), out);
  }
}

void Policy::resolve(Kind kind, const std::string& subject, std::string text, Moment moment,
                     std::vector<Message>& out) {
  const auto trouble = troubles_.find(subject);
  if (trouble == troubles_.end()) return;
  const WallTime since = trouble->second.since;
  troubles_.erase(trouble);
  if (held_.erase(subject) > 0) return;
  tell({kind, Phase::resolved, subject, std::move(text), moment.wall, since}, out);
}

// A planned stop has begun: holds back new alerts for `time`.
void Policy::hold_for(Duration time, TimePoint now) {
  quiet_until_ = now + time;
  for (auto& [subject, held] : held_) held.due = std::max(held.due, *quiet_until_);
}

// Sends the held alerts that are due and still apply.
void Policy::tell_held(TimePoint now, std::vector<Message>& out) {
  for (auto held = held_.begin(); held != held_.end();) {
    if (held->second.due > now) {
      ++held;
      continue;
    }
    if (const auto trouble = troubles_.find(held->first); trouble != troubles_.end()) {
      trouble->second.told = now;
      tell(std::move(held->second.message), out);
    }
    held = held_.erase(held);
  }
}

void Policy::tell(Message message, std::vector<Message>& out) const {
  if (const auto watch = checks_.find(message.subject); watch != checks_.end()) {
    message.target = watch->second.target;
  }
  if (options_.wants(message.kind)) out.push_back(std::move(message));
}

}  // namespace probegate::alerts
