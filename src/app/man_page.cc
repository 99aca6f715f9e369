#include "app/command_tree.h"
#include "app/template_text.h"
#include "app/version.h"

namespace probegate::app {
namespace {

constexpr std::string_view kPage = R"(.\" Made by `probegate man` from the program's own command line.
.TH PROBEGATE 1 2026-11-26 "probegate @VERSION@" "User Commands"
.SH NAME
probegate \- a truthful gate and WebSocket/HTTP door beside a backend container
.SH SYNOPSIS
@SYNOPSIS@
.SH DESCRIPTION
probegate sits beside a backend container.
It polls what the backend needs, answers the orchestrator's probes on a port of its own, and lets traffic reach the
backend only once the startup gate is open.
.SH COMMANDS
@COMMANDS@
.SH EXIT STATUS
.TP
.B 0
All is well: drained, valid, ready, passed.
.TP
.B 1
Something is not: a check fails, the gate is closed, the running one cannot be reached, a condition of the report held,
the end was forced.
.TP
.B 2
The command line or the configuration is wrong, or contradicts the platform.
.TP
.B 3
.B run
cannot listen; the message names the key, the address and, where it can be read, the holder's pid.
.SH ENVIRONMENT
.TP
.B PORT, PROBE_PORT, BACKEND_URL, DATABASE_URL, DATABASE_TABLES, REDIS_URL, WEBSOCKET_PATH, AUTH_HEALTH_URL, LOG_LEVEL
The configuration where there is no file.
.TP
.B DATABASE_URL_FILE, POSTGRES_URL, PGHOST, DB_HOST, REDIS_URL_FILE, REDIS_HOST
Other ways to name the database and Redis; docs/addresses.md tells their companions, and which wins.
.TP
.B NO_COLOR
Set and not empty: no colours, also on a terminal.
.SH FILES
.TP
.I /etc/probegate/probegate.yaml
The configuration when no other is named.
)";

// What roff would take for its own: a backslash, a hyphen that may break, a control character at a line's
// begin.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\e"; break;
      case '-': out += "\\-"; break;
      case '\'': out += out.empty() ? "\\&\\(aq" : "\\(aq"; break;
      case '.': out += out.empty() ? "\\&." : "."; break;
      default: out += c;
    }
  }
  return out;
}

std::string bold(const std::string& text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + roff(text) + "\\fR"; }

std::string value_of(const OptionLine& option) {
  if (option.choices.empty()) return option.word;
  std::string words;
  for (const auto& choice : option.choices) words += (words.empty() ? "" : "|") + choice;
  return words;
}

std::string synopsis(const CommandLine& program) {
  std::string text;
  for (const auto& command : program.commands) {
    text += (text.empty() ? "" : "\n.br\n") + bold(program.name + " " + command.name);
    for (const auto& option : command.options) {
      if (!option.names.empty()) continue;
      text += option.required ? " " + italic(value_of(option)) : " [" + italic(value_of(option)) + "]";
    }
    text += " [" + italic("options") + "]";
  }
  return text;
}

std::string term(const OptionLine& option) {
  if (option.names.empty()) return italic(option.word);
  std::string text;
  for (const auto& name : option.names) text += (text.empty() ? "" : ", ") + bold(name);
  if (!option.type.empty()) text += " " + italic(option.type);
  return text;
}

std::string description(const CommandLine& program) {
  std::string text;
  for (const auto& command : program.commands) {
    text += (text.empty() ? "" : "\n") + (".SS " + roff(command.name)) + "\n" + roff(command.help) + ".";
    for (const auto& option : command.options) {
      if (option.help.empty()) continue;
      text += "\n.TP\n" + term(option) + "\n" + roff(option.help) + ".";
    }
  }
  return text;
}

}  // namespace

std::string man_page(const CommandLine& program) {
  return fill(kPage,
              {{"VERSION", kVersion}, {"SYNOPSIS", synopsis(program)}, {"COMMANDS", description(program)}});
}

}  // namespace probegate::app
