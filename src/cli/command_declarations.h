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
  bool executes = false;  // what follows "--" is a command that it executes
};

// In the order in which help shows them. Each may be run once `app` has parsed. `tail`: what follows "--".
std::vector<Command> declare_commands(CLI::App& app, const std::vector<std::string>& tail);

}  // namespace probegate::cli
