#include "health/history.h"

#include <algorithm>
#include <utility>

namespace probegate::health {
namespace {

constexpr std::string_view kOpen = "open";

}  // namespace

void History::set_checks(const HealthModel& model, Duration since_start) {
  auto runs_before = std::exchange(runs_, {});
  const auto steps_before = timeline_;
  timeline_.clear();
  for (std::size_t i = 0; i < model.policies().size(); ++i) {
    const std::string& name = model.policies()[i].name;
    const auto runs = std::find_if(runs_before.begin(), runs_before.end(),
                                   [&](const Runs& known) { return known.check == name; });
    runs_.push_back(runs == runs_before.end() ? Runs{name} : std::move(*runs));
    if (runs_.back().since != model.states()[i].since) {
      runs_.back().since = model.states()[i].since;
      runs_.back().changed = since_start;
    }

    const auto step = std::find_if(steps_before.begin(), steps_before.end(),
                                   [&](const StartupStep& known) { return known.check == name; });
    timeline_.push_back(step == steps_before.end() ? StartupStep{name} : *step);
    if (!timeline_.back().runnable && model.runnable(i)) timeline_.back().runnable = since_start;
  }
  if (opened_after_) timeline_ = steps_before;
}

void History::add(const Event& event) {
  note_step(event);
  if (!events_.empty() && repeats(events_.back(), event)) {
    ++events_.back().count;
    return;
  }
  if (events_.size() == kEvents) events_.pop_front();
  events_.push_back(event);
}

void History::note_step(const Event& event) {
  if (event.kind == EventKind::gate && event.to == kOpen && !opened_after_) {
    opened_after_ = event.since_start;
  }
  if (event.kind != EventKind::check) return;
  for (Runs& runs : runs_) {
    if (runs.check != event.check) continue;
    runs.changed = event.since_start;
    runs.since = event.wall;
  }
  for (StartupStep& step : timeline_) {
    if (step.check != event.check) continue;
    const bool passes = event.to == to_string(CheckStatus::pass) || event.to == to_string(CheckStatus::warn);
    if (!step.runnable) step.runnable = event.since_start;
    if (passes && !step.passed) step.passed = event.since_start;
  }
}

void History::add_run(std::size_t check, Duration latency, bool failed) {
  auto& samples = runs_[check].samples;
  if (samples.size() == kSamples) samples.pop_front();
  samples.push_back({latency, failed});
}

}  // namespace probegate::health
