// Names that people bring from elsewhere, and what they are called here: Kubernetes' and Docker's probes,
// other proxies, drivers' settings. For messages only: nothing is accepted under a wrong name.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace probegate::config {

// What `written` was meant to be among `allowed`: by the tables, otherwise the nearest word; empty: nobody
// knows.
std::string_view meant_key(std::string_view written, std::span<const std::string_view> allowed);
std::string_view meant_value(std::string_view written, std::span<const std::string_view> allowed);

// ", did you mean X?" or nothing; `allowed` as above, for a value.
std::string value_hint(std::string_view written, std::span<const std::string_view> allowed);

// ", did you mean X? allowed are X, Y" or ", allowed are X, Y".
std::string allowed_hint(std::string_view written, std::span<const std::string_view> allowed);
std::string allowed_hint(std::string_view written, const std::vector<std::string>& allowed);

// ", write 5s" and the like for what other programs take, or nothing.
std::string boolean_hint(std::string_view written);
std::string duration_hint(std::string_view written);
std::string size_hint(std::string_view written);

}  // namespace probegate::config
