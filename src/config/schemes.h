// Maps the scheme of a database URL to a check type, whatever driver the scheme names. Pure.
#pragma once

#include <string>
#include <string_view>

namespace probegate::config {

// "postgres", "mysql" or "redis" for "postgresql+asyncpg", "mysql2", "valkeys" and so on; "" for others.
std::string_view check_type_of(std::string_view scheme);

// The same for a whole address, also in forms that are not URLs: jdbc:mysql://, user:password@tcp(host)/db.
std::string_view check_type_of_address(std::string_view text);

// The error for a scheme where one of `type` is expected. It names the scheme only if it is a known one.
std::string wrong_scheme(std::string_view scheme, std::string_view type);

}  // namespace probegate::config
