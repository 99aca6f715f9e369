// Which type of check a database's URL means: its scheme decides, whatever driver it names. Pure.
#pragma once

#include <string>
#include <string_view>

namespace probegate::config {

// Of "postgresql+asyncpg", "postgis", "mysql2", "valkeys", ...: "postgres", "mysql" or "redis"; "" for
// others.
std::string_view check_type_of(std::string_view scheme);

// Of a whole address, also in notations that are no URL: jdbc:mysql://, user:password@tcp(host)/db.
std::string_view check_type_of_address(std::string_view text);

// What is wrong with a scheme where one of `type` is expected; names it only where it is a known one.
std::string wrong_scheme(std::string_view scheme, std::string_view type);

}  // namespace probegate::config
