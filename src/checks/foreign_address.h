// Addresses of databases as other programs write them: JDBC, ADO.NET, Go, StackExchange.Redis, keyword lists.
// They are not read, as each has rules of its own for what a password may hold; they are translated. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace probegate::checks {

// An error that shows this very address as a URL of `scheme`, with USER and PASSWORD in the place of the real
// ones; nothing where the text is in none of those notations. Only hosts, ports, names of databases and
// harmless parameters are repeated, where they can be told for certain.
std::optional<std::string> foreign_address_advice(std::string_view text, std::string_view scheme);

}  // namespace probegate::checks
