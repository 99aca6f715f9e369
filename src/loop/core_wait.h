// core_wait: how long the calling thread, ready to run, was given no core: others had it, or the limit of a
// container took it away. Never falls.
//
// One read of a small file in /proc. Empty where the kernel does not tell (CONFIG_SCHED_INFO off, gVisor).
// Source: Linux, Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat".
#pragma once

#include <optional>

#include "base/clock.h"

namespace probegate::loop {

std::optional<Duration> core_wait();

}  // namespace probegate::loop
