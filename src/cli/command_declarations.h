// The commands with their options, help texts and functions. They are declared only here; `--help`, the
// completions and the man page are generated from it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <vector>

namespace probegate::cli {

struct Command {
  CLI::App* parser;
  std::function<int()> run;
};

// In the order in which help shows them. Each may be run once `app` has parsed.
std::vector<Command> declare_commands(CLI::App& app);

}  // namespace probegate::cli
