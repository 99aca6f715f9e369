#include "base/template_text.h"
#include "cli/command_tree.h"

namespace probegate::cli {
namespace {

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

std::vector<std::string> command_names(const CommandLine& program) {
  std::vector<std::string> names;
  for (const auto& command : program.commands) names.push_back(command.name);
  return names;
}

// Every word that may follow a command: its options, and the values of its positional argument.
std::string words_of(const CommandLine& command) {
  std::vector<std::string> words;
  for (const auto& option : command.options) {
    words.insert(words.end(), option.names.begin(), option.names.end());
    if (option.names.empty()) words.insert(words.end(), option.choices.begin(), option.choices.end());
  }
  return joined(words, " ");
}

constexpr std::string_view kBash = R"(# bash completion for probegate; made by `probegate completion bash`.
_probegate() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      @NAMES@) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  COMPREPLY=()
  case "$command $before" in
    @VALUES@
  esac
  local words=
  case $command in
    "") words="@PROGRAM_WORDS@" ;;
    @WORDS@
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o filenames -F _probegate probegate
)";

std::string bash(const CommandLine& program) {
  std::string values, words;
  for (const auto& command : program.commands) {
    words += (words.empty() ? "" : "\n") + command.name + ") words=\"" + words_of(command) + "\" ;;";
    std::vector<std::string> files, others;
    for (const auto& option : command.options) {
      if (option.type.empty()) continue;
      for (const auto& name : option.names) {
        (option.type == kFileType ? files : others).push_back("\"" + command.name + " " + name + "\"");
      }
    }
    if (!files.empty()) {
      values += (values.empty() ? "" : "\n") + joined(files, "|") +
                ") mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return ;;";
    }
    if (!others.empty()) values += (values.empty() ? "" : "\n") + joined(others, "|") + ") return ;;";
  }
  const auto names = command_names(program);
  return fill_template(kBash, {{"NAMES", joined(names, "|")},
                               {"VALUES", values},
                               {"PROGRAM_WORDS", joined(names, " ") + " " + words_of(program)},
                               {"WORDS", words}});
}

// In single quotes for zsh and fish; a quote inside becomes '\''.
std::string single_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Brackets and colons have a meaning in the specifications of _arguments, so they are escaped.
std::string zsh_help(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_value(const OptionLine& option) {
  if (!option.choices.empty()) return "(" + joined(option.choices, " ") + ")";
  return option.type == kFileType ? "_files" : "";
}

std::string zsh_arguments(const CommandLine& command) {
  std::string text = "_arguments";
  for (const auto& option : command.options) {
    if (option.names.empty()) {
      text +=
          " \\\n    " + single_quoted((option.required ? ":" : "::") + option.word + ":" + zsh_value(option));
    }
    for (const auto& name : option.names) {
      std::string spec = name + "[" + zsh_help(option.help) + "]";
      if (!option.type.empty()) spec += ":" + option.type + ":" + zsh_value(option);
      text += " \\\n    " + single_quoted(spec);
    }
  }
  return text;
}

constexpr std::string_view kZsh = R"(#compdef probegate
# zsh completion for probegate; made by `probegate completion zsh`.
_probegate() {
  local state line
  _arguments -C '--help[print help]' '--version[print the version]' '1:command:->command' '*::argument:->argument'
  if [[ $state == command ]]; then
    local -a commands=(
      @COMMANDS@
    )
    _describe command commands
    return
  fi
  case $line[1] in
    @CASES@
  esac
}
if [[ $funcstack[1] == _probegate ]]; then _probegate "$@"; else compdef _probegate probegate; fi
)";

std::string zsh(const CommandLine& program) {
  std::string commands, cases;
  for (const auto& command : program.commands) {
    commands += (commands.empty() ? "" : "\n") + single_quoted(command.name + ":" + zsh_help(command.help));
    cases += (cases.empty() ? "" : "\n") + command.name + ")\n  " + zsh_arguments(command) + " ;;";
  }
  return fill_template(kZsh, {{"COMMANDS", commands}, {"CASES", cases}});
}

std::string fish_option(const OptionLine& option) {
  std::string text;
  for (const auto& name : option.names)
    text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (!option.type.empty()) text += option.type == kFileType ? " -r -F" : " -x";
  if (!option.choices.empty()) text += " -f -a " + single_quoted(joined(option.choices, " "));
  return text + " -d " + single_quoted(option.help);
}

std::string fish(const CommandLine& program) {
  std::string text =
      "# fish completion for probegate; made by `probegate completion fish`.\ncomplete -c probegate -f\n";
  for (const auto& option : program.options) {
    text += "complete -c probegate -n __fish_use_subcommand" + fish_option(option) + "\n";
  }
  for (const auto& command : program.commands) {
    text += "complete -c probegate -n __fish_use_subcommand -a " + command.name + " -d " +
            single_quoted(command.help) + "\n";
    for (const auto& option : command.options) {
      if (option.names.empty() && option.choices.empty()) continue;
      text += "complete -c probegate -n '__fish_seen_subcommand_from " + command.name + "'" +
              fish_option(option) + "\n";
    }
  }
  return text;
}

}  // namespace

std::string completion(const CommandLine& program, const std::string& shell) {
  if (shell == "zsh") return zsh(program);
  return shell == "fish" ? fish(program) : bash(program);
}

}  // namespace probegate::cli
