// What is said to a wrong command line: the word that is wrong, the nearest one, and where to read more.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace probegate::cli {

// Words in place of a command, which CLI11 does not know: "help", "version", "-v". The exit code when they
// are the whole answer, or when there is no such command; empty: parse.
std::optional<int> answer_first_word(CLI::App& app, const std::vector<std::string>& words);

// Says what is wrong; the exit code is 2, but 1 for `healthcheck`, as Docker keeps 2 for itself.
int report_usage_error(const CLI::App& app, const CLI::ParseError& error,
                       const std::vector<std::string>& words);

}  // namespace probegate::cli
