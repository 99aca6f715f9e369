#include "sidecar/shutdown.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/exit_code.h"

namespace probegate::sidecar {

bool Shutdown::may_follow(Phase before, Phase next) {
  switch (before) {
    case Phase::running: return next == Phase::lame_duck || next == Phase::cutting;
    case Phase::lame_duck: return next == Phase::closing || next == Phase::running;
    case Phase::closing:
      return next == Phase::cutting || next == Phase::stopping_auth || next == Phase::running;
    case Phase::cutting: return next == Phase::stopping_auth || next == Phase::running;
    case Phase::stopping_auth: return next == Phase::flushing_alerts;
    case Phase::flushing_alerts: return next == Phase::recording;
    case Phase::recording: return next == Phase::done;
    case Phase::done: return false;
  }
  return false;
}

void Shutdown::drain(std::string by, Duration delay, Duration timeout) {
  assert(phase_ == Phase::running);
  begin_drain(std::move(by), delay, timeout);
}

void Shutdown::resume() {
  assert(by_command());
  drain_.reset();
  to(Phase::running);
}

void Shutdown::end(std::string by, Duration delay, Duration timeout) {
  assert(!ending());
  ending_begun_ = true;
  if (phase_ == Phase::running) return begin_drain(std::move(by), delay, timeout);
  drain_->by = std::move(by);
  catch_up();
}

void Shutdown::begin_drain(std::string by, Duration delay, Duration timeout) {
  const TimePoint now = clock_.now();
  drain_ = Drain{std::move(by), now, now + delay, now + delay + timeout};
  ends_at_ = drain_->deadline;
  to(Phase::lame_duck);
  if (delay <= Duration::zero()) on_time();
}

// Starts what the drain by a command left out of its phases so far, and all of the current phase again,
// because what they publish has changed.
void Shutdown::catch_up() {
  const Phase reached = phase_;
  const Duration limit = begin_time(reached);
  wake();
  for (const Phase phase : {Phase::lame_duck, Phase::closing, Phase::cutting}) {
    if (phase > reached) return;
    for (const auto& participant : participants_) {
      const bool missed = participant.when == When::at_the_end || phase == reached;
      if (participant.phase == phase && missed && phase_ == reached) participant.start(limit);
    }
  }
}

void Shutdown::startup_failed() {
  ending_begun_ = true;
  ending_ = {exit_code::kFailed, health::end_cause::kStartupTimeout};
  ends_at_ = clock_.now() + kLastAlerts;
  to(Phase::cutting);
}

void Shutdown::force() {
  assert(ending());
  host_.give_up({exit_code::kFailed, health::end_cause::kSecondSignal});
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
  wake();
  for (const auto& participant : participants_) {
    const bool due = participant.when == When::always || ending_begun_;
    if (participant.phase == next && due && phase_ == next) participant.start(limit);
  }
}

void Shutdown::wake() { host_.wake_after(due_ ? std::optional(*due_ - clock_.now()) : std::nullopt); }

// Sets the deadline of the phase, and returns how much time its participants have.
Duration Shutdown::begin_time(Phase before) {
  const TimePoint now = clock_.now();
  TimePoint until = now;
  Duration grace{0};
  switch (phase_) {
    case Phase::lame_duck: until = drain_->closes_at; break;
    case Phase::closing: until = ends_at_; break;
    case Phase::cutting:
      if (!ending_begun_) {  // stays here
        due_.reset();
        return Duration::zero();
      }
      grace = kCutGrace;
      break;
    case Phase::stopping_auth:  // uses the time that the data loops have left
      if (before == Phase::closing) due_ = ends_at_ + kCutGrace;
      return std::max(*due_ - now, Duration::zero());
    case Phase::flushing_alerts:
      until = std::max(now, std::min(now + kLastAlerts, ends_at_));
      grace = kCutGrace;
      break;
    case Phase::running:
    case Phase::recording:
    case Phase::done: due_.reset(); return Duration::zero();
  }
  due_ = until + grace;
  return std::max(until - now, Duration::zero());
}

}  // namespace probegate::sidecar
