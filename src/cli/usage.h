// Answers to a wrong command line: names the wrong word, the nearest valid one, and the help to read.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace probegate::cli {

// Handles what CLI11 does not: "help", "version", "-v" and unknown commands. Returns the exit code if the
// command line is dealt with; empty if it is to be parsed.
std::optional<int> answer_first_word(CLI::App& app, const std::vector<std::string>& words);

// Prints the error. Returns exit code 2, but 1 for `healthcheck`, because Docker reserves 2.
int report_usage_error(const CLI::App& app, const CLI::ParseError& error,
                       const std::vector<std::string>& words);

}  // namespace probegate::cli
