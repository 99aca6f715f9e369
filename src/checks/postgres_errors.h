// Maps errors of PostgreSQL and libpq to check results. Pure; no libpq.
#pragma once

#include <string>
#include <string_view>

#include "health/check_result.h"

namespace probegate::checks {

// The kind for a SQLSTATE. A server that refuses the connection for a reason not listed (53300, too many
// connections) is `connect`; a statement that fails is `answer`.
health::FailKind kind_of_sqlstate(std::string_view sqlstate, bool connecting);

// The kind for a refused login. pgbouncer uses 08P01 for everything, with its own messages.
health::FailKind kind_of_refusal(std::string_view sqlstate, std::string_view message);

// libpq gives no SQLSTATE for a failed connection, only a text of several lines. With verbose errors the code
// precedes the server's message: `... failed: FATAL: 28P01: password authentication failed for user "app"`.
health::CheckResult failed_connect(std::string_view libpq_text);

}  // namespace probegate::checks
