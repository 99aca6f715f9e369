// The commands as the command line knows them: names, options, words of help, and what to run. The one place
// they are declared; `--help`, the completions and the man page are all made from it.
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
