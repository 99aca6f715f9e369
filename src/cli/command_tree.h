// The command line as plain data, from which the shell completions and the manual page are generated.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace probegate::cli {

inline constexpr const char* kFileType = "FILE";  // completions offer file names for this type

struct OptionLine {
  std::vector<std::string> names;  // "-c", "--config"; none: positional
  std::string word;                // name of a positional argument: "probe"
  std::string type;                // of the value: "FILE"; empty for a flag
  std::string help;
  std::vector<std::string> choices;  // the allowed values, if they are a fixed list
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
