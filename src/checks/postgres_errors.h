// What PostgreSQL's refusals mean. Pure; no libpq.
#pragma once

#include <string>
#include <string_view>

#include "health/check_result.h"

namespace probegate::checks {

// The kind for a SQLSTATE. A server that refuses the connection for a reason not listed (53300, too many
// connections) is `connect`; a statement that fails is `answer`.
health::FailKind kind_of_sqlstate(std::string_view sqlstate, bool connecting);

// The kind for a refused login. pgbouncer has 08P01 for everything, and its own words.
health::FailKind kind_of_refusal(std::string_view sqlstate, std::string_view message);

// libpq has no SQLSTATE for a connection that failed, only its text, several lines of it, where with verbose
// errors the code stands before the server's words: `... failed: FATAL:  28P01: password authentication
// failed for user "app"`.
health::CheckResult failed_connect(std::string_view libpq_text);

}  // namespace probegate::checks
