#include "base/template_text.h"
#include "base/version.h"
#include "cli/command_tree.h"

namespace probegate::cli {
namespace {

constexpr std::string_view kPage = R"(.\" Made by `probegate man` from the program's own command line.
.TH PROBEGATE 1 "" "probegate @VERSION@" "User Commands"
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
.SH CONFIGURATION
A YAML file, named by
.B \-c
or found at its usual place, otherwise the environment alone.
Every key has a default; unknown keys, wrong values and contradictions are reported all at once, with line and column,
and nothing is started.
In values
.BR ${VAR} ,
.B ${VAR:\-default}
and
.B ${VAR:?message}
are expanded,
.B $$
is a dollar, and every secret KEY may be given as KEY_file, the path of a file that holds it.
.PP
.B proxy
says where clients come in and where the backend is,
.B probes
where probes are answered,
.B checks
what the backend needs,
.B gate
how long a start may take,
.B drain
how an end goes, and
.B reload.watch
that a changed file is read again by itself.
.B probegate validate \-\-print
shows every key in force as a file that loads again, secrets by reference or hidden as
.BR *** .
.SH SIGNALS
.TP
.B SIGTERM, SIGINT
Begin the drain: readiness fails at once, after
.I drain.delay
nothing new is accepted, and what is under way gets
.IR drain.timeout .
A second one ends the process at once.
.TP
.B SIGHUP
Read the configuration file and the files of its secrets again.
What is right is put into force whole; what is wrong is refused with the lines of
.B validate
in the log, as
.B probegate reload
prints them.
.SH EXIT STATUS
.TP
.B 0
Success: drained, valid, ready, reloaded, all passed.
.TP
.B 1
A check fails, the gate is closed, the running probegate cannot be reached or refuses, a condition of the report held,
the end was forced.
.B healthcheck
exits with 1 on a wrong command line too, as Docker reserves 2.
.TP
.B 2
The command line or the configuration is wrong, or contradicts the platform.
.TP
.B 3
.B run
cannot listen; the message names the key, the address and, where it can be read, the holder's pid.
.SH ENVIRONMENT
.TP
.B PORT
The default port of
.IR proxy.listen ,
also with a file.
.TP
.B PROBE_PORT, BACKEND_URL, DATABASE_URL, DATABASE_TABLES, REDIS_URL, WEBSOCKET_PATH, AUTH_HEALTH_URL, LOG_LEVEL
The configuration where there is no file.
.TP
.B DATABASE_URL_FILE, POSTGRES_URL, PGHOST, DB_HOST, REDIS_URL_FILE, REDIS_HOST
Other ways to name the database and Redis; docs/addresses.md tells their companions, and which wins.
.TP
.B PROBEGATE_PLATFORM
cloud\-run, kubernetes, docker or none: what
.I platform: auto
finds; otherwise
.B K_SERVICE
means Cloud Run and
.B KUBERNETES_SERVICE_HOST
Kubernetes.
.TP
.B K_SERVICE
Also the name of the service in alerts.
.TP
.B GOOGLE_CLOUD_PROJECT
The default of
.IR log.project .
.TP
.B SSL_CERT_FILE, SSL_CERT_DIR
Where the system's certificate authorities are, when not at OpenSSL's own place.
.TP
.B NO_COLOR
Set and not empty: no colours, also on a terminal.
.TP
.B TERM
With the value dumb nothing is redrawn or coloured.
.SH FILES
.TP
.I /etc/probegate/probegate.yaml
The configuration when no other is named.
.SH EXAMPLES
.TP
.B probegate run \-c probegate.yaml
Run beside a backend.
.TP
.B probegate validate \-c probegate.yaml
Show every mistake of a file.
.TP
.B probegate check \-\-wait 60s
Wait until everything passes that the environment names, without serving.
.TP
.B probegate healthcheck ready
Ask the running probegate, as a HEALTHCHECK of Docker does.
.TP
.B probegate status \-\-watch
See why the gate is closed, and when it opens.
.TP
.B probegate reload
Put a changed file into force.
.TP
.B probegate render kubernetes \-c probegate.yaml \-\-name chat > chat.yaml
Print a manifest whose probes, ports and times fit the file.
.SH SEE ALSO
.BR curl (1),
.BR docker (1),
.BR kubectl (1),
.BR signal (7)
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
  return fill_template(
      kPage, {{"VERSION", kVersion}, {"SYNOPSIS", synopsis(program)}, {"COMMANDS", description(program)}});
}

}  // namespace probegate::cli
