// Pieces of the status page: text made safe for HTML, times for people, and the two drawings. Pure.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "health/history.h"

namespace probegate::probe {

std::string escaped(std::string_view text);
std::string joined(const std::vector<std::string>& words);

std::string ago(Duration age);  // "12s ago", "now"
std::string millis_text(Duration d);
std::string seconds_text(Duration d);  // "3.21 s"; whole units from a minute on

// The recent runs of a check, one stroke each: as high as it took, in red over the full height where it
// failed.
std::string sparkline(const std::deque<health::Sample>& samples);

// One step's place in the start: waiting for others, then running until it passed, or until now.
struct Bar {
  std::optional<Duration> begin;  // empty: it waits still
  Duration end;
  Duration whole;  // what the full width stands for
  bool passed;
  std::optional<Duration> mark;  // the opening of the gate
};
std::string waterfall_bar(const Bar& bar);

}  // namespace probegate::probe
