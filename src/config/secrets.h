// Reads secret files and hides secrets in output.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace probegate::config {

inline constexpr std::string_view kHidden = "***";

// A file that a secret was read from. The secret is the whole file except trailing line ends; for an address,
// surrounding whitespace is dropped too.
struct SecretFile {
  std::string path;
  bool is_address = false;
};

// Describes where whitespace surrounds such a secret. Empty: there is none.
std::string_view blanks_around(std::string_view content);

// The address without surrounding whitespace and line ends; surrounding quotes are an error.
Result<std::string> plain_address(std::string_view text);
// Without surrounding whitespace and line ends, and without a leading byte order mark.
std::string_view trim_lines(std::string_view text);
bool begins_with_mark(std::string_view text);
// Removes the trailing line ends that `echo` and editors add.
std::string_view without_line_ends(std::string_view text);

// Like redact_url(), but a text that is not a URL is hidden completely.
std::string hide_in_url(std::string_view url);
// Scheme and host only: the path of a webhook is its password.
std::string hide_path_of_url(std::string_view url);

// The content of the file; more than `limit` bytes is an error. Waits at most five seconds for a slow pipe.
Result<std::string> read_file(const std::string& path, std::size_t limit);

}  // namespace probegate::config
