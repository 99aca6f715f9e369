// Parts of the status page: times for people, and the two drawings. Pure.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "health/history.h"

namespace probegate::probe {

std::string joined(const std::vector<std::string>& words);

std::string ago(Duration age);  // "12s ago", "now"
std::string millis_text(Duration d);
std::string seconds_text(Duration d);  // "3.21 s"; whole units from a minute on

// The recent runs of a check, one stroke each: its height is the duration; a failed run is red and has
// the full height.
std::string sparkline(const std::deque<health::Sample>& samples);

// One step of the startup: waiting for other checks, then running until it passed, or until now.
struct Bar {
  std::optional<Duration> begin;  // empty while it waits
  Duration end;
  Duration whole;  // the time that the full width represents
  bool passed;
  std::optional<Duration> mark;  // the opening of the gate
};
std::string waterfall_bar(const Bar& bar);

}  // namespace probegate::probe
