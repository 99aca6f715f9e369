#include "cli/usage.h"

#include <algorithm>
#include <iostream>
#include <span>
#include <string_view>

#include "base/exit_code.h"
#include "base/nearest.h"
#include "cli/arguments.h"

namespace probegate::cli {
namespace {

struct Alias {
  std::string_view written;
  std::string_view meant;
};

constexpr Alias kCommands[] = {
    {"start", "run"},
    {"serve", "run"},
    {"up", "run"},
    {"server", "run"},
    {"daemon", "run"},
    {"lint", "validate"},
    {"test", "validate"},
    {"verify", "validate"},
    {"config", "validate"},
    {"print", "validate"},
    {"syntax", "validate"},
    {"checks", "check"},
    {"wait-for", "check"},
    {"health", "healthcheck"},
    {"probe", "healthcheck"},
    {"ping", "healthcheck"},
    {"ps", "status"},
    {"info", "status"},
    {"state", "status"},
    {"stats", "status"},
    {"ls", "status"},
    {"top", "status"},
    {"hup", "reload"},
    {"refresh", "reload"},
    {"restart", "reload"},
    {"stop", "drain"},
    {"shutdown", "drain"},
    {"maintenance", "pause"},
    {"close", "pause"},
    {"continue", "resume"},
    {"unpause", "resume"},
    {"manifest", "render"},
    {"generate", "render"},
    {"template", "render"},
    {"ws", "smoke"},
    {"bench", "smoke"},
    {"monitor", "report"},
    {"completions", "completion"},
    {"manual", "man"},
};
constexpr Alias kOptions[] = {
    {"--file", "--config"},
    {"--conf", "--config"},
    {"--configuration", "--config"},
    {"-f", "--config"},
    {"--json-output", "--json"},
    {"--output", "--json"},
    {"--follow", "--watch"},
    {"-w", "--watch"},
    {"--count", "--connections"},
    {"--duration", "--for"},
    {"--address", "--url"},
    {"--host", "--url"},
    {"--port", "--url"},
    {"-h", "--help"},
    {"-v", "--version"},
};

std::string_view meant(std::string_view written, const std::vector<std::string_view>& words,
                       std::span<const Alias> aliases) {
  for (const auto& alias : aliases) {
    if (alias.written == written && std::find(words.begin(), words.end(), alias.meant) != words.end())
      return alias.meant;
  }
  return nearest_word(written, words);
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

const CLI::App* find_command(const CLI::App& app, const std::string& name) {
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const auto* option : command.get_options()) {
    for (const auto& name : option->get_snames()) names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

bool takes_config(const CLI::App& command) {
  const auto names = option_names(command);
  return std::find(names.begin(), names.end(), "--config") != names.end();
}

std::string did_you_mean(std::string_view word) {
  return word.empty() ? "" : ", did you mean " + std::string(word) + "?";
}

bool looks_like_a_file(std::string_view word) {
  return word.find('/') != std::string_view::npos || word.ends_with(".yaml") || word.ends_with(".yml");
}

int refuse(const std::string& text, const std::string& command, int code = exit_code::kUsage) {
  std::cerr << "probegate: " << text << "\nTry '" << command << " --help'.\n";
  return code;
}

int refuse_command(const CLI::App& app, const std::string& word) {
  if (looks_like_a_file(word))
    return refuse("the command is missing; write probegate run -c " + shown_argument("", word), "probegate");
  const auto names = command_names(app);
  const std::vector<std::string_view> words(names.begin(), names.end());
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
  const auto hint = did_you_mean(meant(word, words, kCommands));
  return refuse("there is no command '" + shown_argument("", word) + "'" +
                    (hint.empty() ? ", there are " + list : hint),
                "probegate");
}

// An option before the command.
int refuse_first_option(const CLI::App& app, const std::string& word) {
  const auto name = word.substr(0, word.find('='));
  for (const auto& command : command_names(app)) {
    const auto options = option_names(*find_command(app, command));
    if (std::find(options.begin(), options.end(), name) != options.end())
      return refuse("the command comes first; write probegate " + command + " " + name + " ...", "probegate");
  }
  const auto options = option_names(app);
  const std::vector<std::string_view> words(options.begin(), options.end());
  return refuse("there is no option " + name + did_you_mean(meant(name, words, kOptions)), "probegate");
}

std::string explain_extra(const CLI::App& command, const std::string& word) {
  const auto& of = command.get_name();
  const auto shown = shown_argument("", word);
  if (word.starts_with('-') && word.size() > 1) {
    const auto name = word.substr(0, word.find('='));
    const auto options = option_names(command);
    const std::vector<std::string_view> words(options.begin(), options.end());
    return of + " has no option " + name + did_you_mean(meant(name, words, kOptions));
  }
  if (takes_config(command) && looks_like_a_file(word))
    return of + " takes no argument '" + shown + "'; write probegate " + of + " -c " + shown;
  return of + " takes no argument '" + shown + "'";
}

// In the order of the command line, but options first: the word after a wrong option is often its value.
std::string first_extra(const CLI::App& command, const std::vector<std::string>& words) {
  const auto extras = command.remaining();
  const auto is_extra = [&](const std::string& word) {
    return std::find(extras.begin(), extras.end(), word) != extras.end();
  };
  for (const bool options : {true, false}) {
    for (const auto& word : words) {
      if (is_extra(word) && (!options || word.starts_with('-'))) return word;
    }
  }
  return extras.empty() ? std::string() : extras.front();
}

}  // namespace

std::optional<int> answer_first_word(CLI::App& app, const std::vector<std::string>& words) {
  if (words.empty()) {
    std::cerr << "probegate: the command is missing\n\n" << app.help();
    return exit_code::kUsage;
  }
  const auto& first = words.front();
  if (first == "version" || first == "-v" || first == "-V") {
    std::cout << app.version() << "\n";
    return exit_code::kOk;
  }
  if (first == "help") {
    if (words.size() == 1) {
      std::cout << app.help();
      return exit_code::kOk;
    }
    const auto* command = find_command(app, words[1]);
    if (command == nullptr) return refuse_command(app, words[1]);
    std::cout << command->help(app.get_name());
    return exit_code::kOk;
  }
  if (first == "-h" || first == "--help" || first == "--version" || find_command(app, first) != nullptr)
    return std::nullopt;
  return first.starts_with('-') ? refuse_first_option(app, first) : refuse_command(app, first);
}

int report_usage_error(const CLI::App& app, const CLI::ParseError& error,
                       const std::vector<std::string>& words) {
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) return refuse(without_secrets(error.what(), words), "probegate");
  const auto& command = *chosen.front();
  const int code = command.get_name() == "healthcheck" ? exit_code::kFailed : exit_code::kUsage;
  const auto extra = first_extra(command, {words.begin() + 1, words.end()});
  return refuse(extra.empty() ? without_secrets(error.what(), words) : explain_extra(command, extra),
                "probegate " + command.get_name(), code);
}

}  // namespace probegate::cli
