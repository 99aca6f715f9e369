// Maps errors of MariaDB, MySQL and their client library to check results. Pure.
#pragma once

#include <string>

#include "health/check_result.h"

namespace probegate::checks {

// True if the error comes from the client library, false if from the server.
bool is_library_error(unsigned code);

// A lack of memory or descriptors in this process is inconclusive.
health::CheckResult mysql_failure(unsigned code, const std::string& text);

}  // namespace probegate::checks
