// Database addresses in the formats of other programs: JDBC, ADO.NET, Go, StackExchange.Redis, keyword
// lists. They are not accepted, because each has its own rules for passwords; an error shows the
// equivalent URL. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace probegate::checks {

// An error that shows this address as a URL of `scheme`, with USER and PASSWORD as placeholders; empty if the
// text has none of these formats. Shows only hosts, ports, database names and harmless parameters, and only
// if they are unambiguous.
std::optional<std::string> foreign_address_advice(std::string_view text, std::string_view scheme);

}  // namespace probegate::checks
