// What the texts of checks say about where their dependencies are: for manifests. Pure; finds addresses and
// leaves everything else of a text, a password above all, where it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace probegate::deploy {

std::string decoded_text(std::string_view text);  // %2F and the like, where they are whole

// "PROJECT:REGION:INSTANCE" of every /cloudsql/ in it; with a variable in its place the very words.
std::vector<std::string> cloud_sql_instances(std::string_view text);

// Addresses of RFC 1918, 6598 and 4193, as hosts of URLs or alone, and names below .internal.
std::vector<std::string> private_hosts(std::string_view text);

}  // namespace probegate::deploy
