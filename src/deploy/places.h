// Finds the addresses of dependencies in the values of checks, for manifests. Pure; returns nothing else of a
// value, in particular no password.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace probegate::deploy {

std::string decoded_text(std::string_view text);  // decodes complete %2F sequences

// "PROJECT:REGION:INSTANCE" of every /cloudsql/ in the text; a variable is copied unchanged.
std::vector<std::string> cloud_sql_instances(std::string_view text);

// Addresses of RFC 1918, 6598 and 4193, as hosts of URLs or alone, and names ending in .internal.
std::vector<std::string> private_hosts(std::string_view text);

}  // namespace probegate::deploy
