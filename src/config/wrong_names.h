// Maps names from other programs (Kubernetes and Docker probes, other proxies, drivers) to probegate's names.
// Used for messages only: no wrong name is accepted.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace probegate::config {

// The word of `allowed` that `written` probably means: from the tables, otherwise the nearest; empty: none.
std::string_view meant_key(std::string_view written, std::span<const std::string_view> allowed);
std::string_view meant_value(std::string_view written, std::span<const std::string_view> allowed);

// ", did you mean X?" or nothing, for a value.
std::string value_hint(std::string_view written, std::span<const std::string_view> allowed);

// ", did you mean X? allowed are X, Y" or ", allowed are X, Y".
std::string allowed_hint(std::string_view written, std::span<const std::string_view> allowed);
std::string allowed_hint(std::string_view written, const std::vector<std::string>& allowed);

// A hint such as ", write 5s" for forms that other programs accept, or nothing.
std::string boolean_hint(std::string_view written);
std::string duration_hint(std::string_view written);
std::string size_hint(std::string_view written);

}  // namespace probegate::config
