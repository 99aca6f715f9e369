// The standard process_* families, read from /proc at scrape time. procfs is memory: it never waits for a
// disk.
#pragma once

#include "metrics/exposition.h"

namespace probegate::probe {

void write_process(metrics::Exposition& out);

}  // namespace probegate::probe
