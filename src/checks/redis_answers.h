// What an answer of Redis means for the check. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "health/check_result.h"

namespace probegate::checks {

enum class RedisRole { any, master, replica };

// The result of an error that answered `command`, "SET": its kind, Redis' own words, and what can be done.
health::CheckResult redis_error(const std::string& command, const std::string& text);

// Whether `a` explains more than `b` why none of several servers serves.
bool tells_more(const health::CheckResult& a, const health::CheckResult& b);

// The first word of an error: "NOAUTH", "MOVED", "ERR".
std::string_view redis_error_prefix(std::string_view text);

// "max number of clients reached": the first and last word of a server that takes no more.
bool redis_server_is_full(std::string_view error);

// The value of one line of INFO, "name:value"; empty where there is none.
std::string_view redis_info_value(std::string_view info, std::string_view name);

// What is wrong with the answer to INFO replication, if anything.
std::optional<health::CheckResult> judge_redis_role(RedisRole wanted, std::string_view info);

}  // namespace probegate::checks
