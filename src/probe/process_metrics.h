// The standard process_* families, read from /proc at scrape time. Reading procfs never waits for a disk.
#pragma once

#include <cstdint>
#include <optional>

#include "metrics/exposition.h"

namespace probegate::probe {

void write_process(metrics::Exposition& out);
std::optional<std::uint64_t> resident_bytes();

}  // namespace probegate::probe
