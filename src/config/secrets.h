// What must not be shown, and the files secrets come from.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace probegate::config {

inline constexpr std::string_view kHidden = "***";

// A file that a secret was read from. All of it is the secret, but for its line ends; not so of an address.
struct SecretFile {
  std::string path;
  bool is_address = false;
};

// What blanks at either end of such a secret are called: where they stand. Empty: there are none.
std::string_view blanks_around(std::string_view content);

// The address itself, without the blanks and line ends around it; quotes around it are an error.
Result<std::string> plain_address(std::string_view text);
// Without the blanks and line ends around a value, and without the mark some editors put before a file.
std::string_view trim_lines(std::string_view text);
bool begins_with_mark(std::string_view text);
// As `echo` and editors leave them behind a secret.
std::string_view without_line_ends(std::string_view text);

// As redact_url(); a text that is no URL is hidden whole.
std::string hide_in_url(std::string_view url);
// Scheme and host only: a webhook's path is its password.
std::string hide_path_of_url(std::string_view url);

// The file's bytes, at most `limit`; a larger one is an error. Waits at most five seconds for a slow pipe.
Result<std::string> read_file(const std::string& path, std::size_t limit);

}  // namespace probegate::config
