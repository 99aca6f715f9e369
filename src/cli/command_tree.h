// The command line as plain data, and what is generated from it: completions for three shells and the manual
// page.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace probegate::cli {

inline constexpr const char* kFileType = "FILE";  // what completions offer files for

struct OptionLine {
  std::vector<std::string> names;  // "-c", "--config"; none: positional
  std::string word;                // of a positional: "probe"
  std::string type;                // of its value, "FILE"; empty: a flag
  std::string help;
  std::vector<std::string> choices;  // all that a value may be, when that is a few words
  bool required = false;
};

struct CommandLine {
  std::string name;
  std::string help;
  std::vector<OptionLine> options;  // the positional ones first
  std::vector<CommandLine> commands;
};

CommandLine command_tree(const CLI::App& app);

std::string completion(const CommandLine& program, const std::string& shell);  // bash | zsh | fish
std::string man_page(const CommandLine& program);

}  // namespace probegate::cli
