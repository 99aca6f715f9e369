// What the errors of MariaDB, MySQL and their client library mean. Pure.
#pragma once

#include <string>

#include "health/check_result.h"

namespace probegate::checks {

// Whether the client library made the error up; else it is the server that speaks.
bool is_library_error(unsigned code);

// Our own lack of memory or descriptors is inconclusive.
health::CheckResult mysql_failure(unsigned code, const std::string& text);

}  // namespace probegate::checks
