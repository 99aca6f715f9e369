#include "sidecar/shutdown.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/exit_code.h"

namespace probegate::sidecar {

bool Shutdown::may_follow(Phase before, Phase next) {
  switch (before) {
    case Phase::running: return next == Phase::paused || next == Phase::lame_duck || next == Phase::cutting;
    case Phase::paused: return next == Phase::running || next == Phase::lame_duck;
    case Phase::lame_duck: return next == Phase::closing;
    case Phase::closing: return next == Phase::cutting || next == Phase::stopping_auth;
    case Phase::cutting: return next == Phase::stopping_auth;
    case Phase::stopping_auth: return next == Phase::flushing_alerts;
    case Phase::flushing_alerts: return next == Phase::recording;
    case Phase::recording: return next == Phase::done;
    case Phase::done: return false;
  }
  return false;
}

void Shutdown::drain(Duration delay, Duration timeout) {
  closes_at_ = clock_.now() + delay;
  ends_at_ = closes_at_ + timeout;
  to(Phase::lame_duck);
  if (delay <= Duration::zero()) on_time();
}

void Shutdown::startup_failed() {
  ending_ = {exit_code::kFailed, health::end_cause::kStartupTimeout};
  ends_at_ = clock_.now() + kLastAlerts;
  to(Phase::cutting);
}

void Shutdown::force() {
  assert(ending());
  host_.give_up({exit_code::kFailed, health::end_cause::kSecondSignal});
}

void Shutdown::pause() { to(Phase::paused); }

void Shutdown::resume() {
  assert(phase_ == Phase::paused);
  to(Phase::running);
  for (auto it = participants_.rbegin(); it != participants_.rend(); ++it) {
    if (it->phase == Phase::paused && it->cancel) it->cancel();
  }
}

void Shutdown::loops_ended() {
  if (phase_ == Phase::closing) return to(Phase::stopping_auth);
  completed(Phase::cutting, Phase::stopping_auth);
}

void Shutdown::auth_ended() { completed(Phase::stopping_auth, Phase::flushing_alerts); }

void Shutdown::alerts_flushed() { completed(Phase::flushing_alerts, Phase::recording); }

void Shutdown::recorded() { completed(Phase::recording, Phase::done); }

void Shutdown::completed(Phase work, Phase next) {
  assert(phase_ >= work && "completed before its phase");
  if (phase_ == work) to(next);
}

void Shutdown::on_time() {
  switch (phase_) {
    case Phase::lame_duck: return to(Phase::closing);
    case Phase::closing: return to(Phase::cutting);
    case Phase::cutting:
    case Phase::stopping_auth:
      log_.error("a data loop or the auth loop did not stop in time; exiting without it");
      return host_.give_up({ending_.exit_code, health::end_cause::kStuckLoop});
    case Phase::flushing_alerts:
      log_.error("the alerts loop did not stop in time; exiting without it");
      return host_.give_up(ending_);
    case Phase::running:
    case Phase::paused:
    case Phase::recording:
    case Phase::done: assert(false && "these phases have no time"); return;
  }
}

// A participant may finish inside start(), which ends the phase; the others of that phase are then skipped.
void Shutdown::to(Phase next) {
  assert(may_follow(phase_, next));
  const Phase before = std::exchange(phase_, next);
  log_.debug("shutdown phase", {{"phase", to_string(next)}});
  const Duration limit = begin_time(before);
  host_.wake_after(due_ ? std::optional(*due_ - clock_.now()) : std::nullopt);
  for (const auto& participant : participants_) {
    if (participant.phase == next && phase_ == next) participant.start(limit);
  }
}

// Sets the deadline of the phase, and returns how much time its participants have.
Duration Shutdown::begin_time(Phase before) {
  const TimePoint now = clock_.now();
  TimePoint until = now;
  Duration grace{0};
  switch (phase_) {
    case Phase::lame_duck: until = closes_at_; break;
    case Phase::closing: until = ends_at_; break;
    case Phase::cutting: grace = kCutGrace; break;
    case Phase::stopping_auth:  // uses the time that the data loops have left
      if (before == Phase::closing) due_ = ends_at_ + kCutGrace;
      return std::max(*due_ - now, Duration::zero());
    case Phase::flushing_alerts:
      until = std::max(now, std::min(now + kLastAlerts, ends_at_));
      grace = kCutGrace;
      break;
    case Phase::running:
    case Phase::paused:
    case Phase::recording:
    case Phase::done: due_.reset(); return Duration::zero();
  }
  due_ = until + grace;
  return std::max(until - now, Duration::zero());
}

}  // namespace probegate::sidecar
