#include "cli/command_tree.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/text.h"

namespace probegate::cli {
namespace {

// CLI11 gives the words of IsMember only as part of the type's name, "TEXT:{a,b}".
std::vector<std::string> choices_of(const CLI::Option& option) {
  std::vector<std::string> choices;
  const std::string type = option.get_type_name();
  const auto open = type.find('{');
  if (open == std::string::npos || !type.ends_with('}')) return choices;
  for (const auto word : split(std::string_view(type).substr(open + 1, type.size() - open - 2), ',')) {
    choices.emplace_back(trim(word));
  }
  return choices;
}

OptionLine option_line(const CLI::Option& option) {
  OptionLine line;
  for (const auto& name : option.get_snames()) line.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) line.names.push_back("--" + name);
  if (option.get_positional()) line.word = option.get_name(true);
  if (!option.get_positional() && option.get_items_expected_max() > 0) {
    const std::string type = option.get_type_name();
    line.type = type.substr(0, type.find(':'));
  }
  line.help = option.get_description();
  line.choices = choices_of(option);
  line.required = option.get_required();
  return line;
}

}  // namespace

CommandLine command_tree(const CLI::App& app) {
  CommandLine line{app.get_name(), app.get_description(), {}, {}};
  for (const auto* option : app.get_options()) line.options.push_back(option_line(*option));
  std::stable_partition(line.options.begin(), line.options.end(),
                        [](const OptionLine& option) { return option.names.empty(); });
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    line.commands.push_back(command_tree(*command));
  }
  return line;
}

}  // namespace probegate::cli
