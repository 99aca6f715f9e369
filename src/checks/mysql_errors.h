// What the errors of MariaDB, MySQL and their client library mean. Pure.
#pragma once

#include <string>

#include "health/check_result.h"

namespace probegate::checks {

// `code` is a server's (1000 to 1999, 3000 and on) or the library's own (2000 to 2999); ours for lack of
// memory or descriptors is inconclusive.
health::CheckResult mysql_failure(unsigned code, const std::string& text);

}  // namespace probegate::checks
