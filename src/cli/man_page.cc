#include "base/template_text.h"
#include "base/version.h"
#include "cli/command_tree.h"

namespace probegate::cli {
namespace {

constexpr std::string_view kPage = R"(.\" Made by `probegate man` from the program's own command line.
.TH PROBEGATE 1 "" "probegate @VERSION@" "User Commands"
.SH NAME
probegate \- health probes for a backend, and a proxy that forwards traffic to it once it is ready
.SH SYNOPSIS
@SYNOPSIS@
.SH DESCRIPTION
probegate runs beside a backend container.
It checks the services that the backend needs, answers the orchestrator's probes on a separate port, and forwards
WebSocket and HTTP traffic to the backend only once the startup gate is open.
.SH COMMANDS
@COMMANDS@
.SH CONFIGURATION
A YAML file, named by
.B \-c
or found at its default path; without a file, environment variables alone.
Every key has a default; unknown keys, wrong values and contradictions are reported all at once, with line and column,
and nothing is started.
In values
.BR ${VAR} ,
.B ${VAR:\-default}
and
.B ${VAR:?message}
are expanded, and
.B $$
is a dollar sign.
Instead of a secret KEY, KEY_file names a file that holds it.
.PP
.B proxy
sets the addresses of the proxy and of the backend,
.B probes
the address of the probes,
.B checks
what the backend needs,
.B gate
how long a start may take,
.B drain
how the process ends, and
.B reload.watch
whether a changed file is reloaded automatically.
.B probegate validate \-\-print
prints the effective configuration as a file that loads again, with secrets by reference or hidden as
.BR *** .
.SH SIGNALS
.TP
.B SIGTERM, SIGINT
Begin the drain: readiness fails at once. After
.I drain.delay
no new connection is accepted, and open requests and tunnels have
.I drain.timeout
to end.
A second signal ends the process at once.
.TP
.B SIGHUP
Reload the configuration file and its secret files.
A valid configuration takes effect as a whole.
An invalid one is refused, and the log has the lines that
.B validate
and
.B probegate reload
print.
.SH EXIT STATUS
.TP
.B 0
Success: drained, valid, ready, reloaded, all passed.
.TP
.B 1
Failure: a check failed, the gate is closed, the running probegate cannot be reached or refused the request, a
condition of the report held, or a second signal ended the process.
.B healthcheck
also exits with 1 on a wrong command line, because Docker reserves 2.
.TP
.B 2
The command line or the configuration is invalid, or the platform does not support it.
.TP
.B 3
.B run
cannot listen; the message names the key, the address and, where it can be read, the pid of the process that uses it.
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
Other ways to name the database and Redis; docs/addresses.md lists them all, in order of precedence.
.TP
.B PROBEGATE_PLATFORM
cloud\-run, kubernetes, docker or none: the result of
.IR "platform: auto" .
Without it,
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
The system's certificate authorities, if not at OpenSSL's default path.
.TP
.B NO_COLOR
If set and not empty: no colours, even on a terminal.
.TP
.B TERM
With the value dumb nothing is redrawn or coloured.
.SH FILES
.TP
.I /etc/probegate/probegate.yaml
The default configuration file.
.SH EXAMPLES
.TP
.B probegate run \-c probegate.yaml
Run beside a backend.
.TP
.B probegate validate \-c probegate.yaml
Show every mistake in a file.
.TP
.B probegate check \-\-wait 60s
Wait until all checks pass, without starting the sidecar.
.TP
.B probegate healthcheck ready
Ask the running probegate, as a Docker HEALTHCHECK does.
.TP
.B probegate status \-\-watch
See why the gate is closed, and when it opens.
.TP
.B probegate reload
Apply a changed file.
.TP
.B probegate drain \-\-wait
Send the clients away before the backend is stopped.
.TP
.B probegate pause \-\-for 20m
Close the gate for a migration.
.TP
.B probegate render kubernetes \-c probegate.yaml \-\-name chat > chat.yaml
Print a manifest whose probes, ports and times fit the file.
.SH SEE ALSO
.BR curl (1),
.BR docker (1),
.BR kubectl (1),
.BR signal (7)
)";

// Escapes what has a meaning in roff: a backslash, a hyphen, a control character at the start of a line.
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
