// What must not be shown, and the files secrets come from.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace probegate::config {

inline constexpr std::string_view kHidden = "***";

// The address itself, without the blanks and line ends around it; quotes around it are an error.
Result<std::string> plain_address(std::string_view text);
// Without the blanks and line ends around a value, and without the mark some editors put before a file.
std::string_view trim_lines(std::string_view text);

// As redact_url(); a text that is no URL is hidden whole.
std::string hide_in_url(std::string_view url);
// Scheme and host only: a webhook's path is its password.
std::string hide_path_of_url(std::string_view url);

// The file's bytes, at most `limit`; a larger one is an error. Waits at most five seconds for a slow pipe.
Result<std::string> read_file(const std::string& path, std::size_t limit);

}  // namespace probegate::config
