// Maps answers of Redis to check results. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "health/check_result.h"

namespace probegate::checks {

enum class RedisRole { any, master, replica };

// The result for an error in the answer to `command`: its kind, the message of Redis, and the remedy.
health::CheckResult redis_error(const std::string& command, const std::string& text);

// Whether `a` is a better explanation than `b` if no server works.
bool tells_more(const health::CheckResult& a, const health::CheckResult& b);

// The first word of an error: "NOAUTH", "MOVED", "ERR".
std::string_view redis_error_prefix(std::string_view text);

// True for "max number of clients reached", the only answer of a server at its client limit.
bool redis_server_is_full(std::string_view error);

// The value of a line "name:value" of INFO; empty if there is none.
std::string_view redis_info_value(std::string_view info, std::string_view name);

// The error in the answer to INFO replication, if any.
std::optional<health::CheckResult> judge_redis_role(RedisRole wanted, std::string_view info);

}  // namespace probegate::checks
