#include "app/command_line.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstring>
#include <iostream>
#include <tuple>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/version.h"
#include "config/environment.h"
#include "config/scalars.h"

namespace probegate::app {
namespace {

std::string check_duration(const std::string& text) {
  if (config::parse_duration(text)) return "";
  return "expected a duration such as 500ms, 60s or 5m, got '" + text + "'";
}

std::string check_positive_duration(const std::string& text) {
  const auto duration = config::parse_duration(text);
  return duration && *duration > Duration::zero()
             ? ""
             : "expected a duration such as 500ms, 60s or 5m, got '" + text + "'";
}

std::string check_size(const std::string& text) {
  if (config::parse_size(text)) return "";
  return "expected a size such as 64KiB or 10MiB, got '" + text + "'";
}

// What all three platforms take for a name, and YAML for a plain word.
std::string check_name(const std::string& text) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  const bool letter_first = !text.empty() && text.front() >= 'a' && text.front() <= 'z';
  if (letter_first && text.size() <= 40 && text.back() != '-' && std::all_of(text.begin(), text.end(), fits))
    return "";
  return "expected a name of a-z, 0-9 and -, got '" + text + "'";
}

// One word for YAML, whatever registry it names.
std::string check_image(const std::string& text) {
  const auto fits = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::strchr("._-/:@", c) != nullptr;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), fits)) return "";
  return "expected the name of an image, got '" + text + "'";
}

CLI::Option* add_config(CLI::App* command, std::optional<std::string>& path) {
  return command->add_option("-c,--config", path,
                             "the configuration file (default: /etc/probegate/probegate.yaml if present, "
                             "otherwise the environment alone)");
}

CLI::Option* add_url(CLI::App* command, std::optional<std::string>& url) {
  return command->add_option("--url", url, "the probe port, such as http://127.0.0.1:9090 or unix:/path");
}

// CLI11 says what is wrong; this adds where to read more, and makes it exit code 2.
int report_usage_error(const CLI::App& app, const CLI::ParseError& error) {
  std::string command = "probegate";
  if (const auto chosen = app.get_subcommands(); !chosen.empty()) command += " " + chosen.front()->get_name();
  std::cerr << "probegate: " << error.what() << "\nTry '" << command << " --help'.\n";
  return exit_code::kUsage;
}

// Started with a closed stdout, say, the next socket would take its number, and the log would write into it.
void occupy_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) std::ignore = ::open("/dev/null", O_RDWR);  // takes the lowest free number
  }
}

}  // namespace

int run_command_line(int argc, char** argv) {
  occupy_standard_descriptors();
  ::signal(SIGPIPE, SIG_IGN);  // a peer or a log reader that left is an error code, not the end
  config::hide_from_libraries("PG");
  CLI::App app{"probegate: a truthful gate and WebSocket/HTTP door beside a backend container", "probegate"};
  app.set_version_flag("--version", std::string("probegate ") + kVersion);
  app.require_subcommand(1);

  RunOptions run_options;
  auto* run_command = app.add_subcommand("run", "the sidecar: polls, answers probes, forwards traffic");
  add_config(run_command, run_options.config);

  ValidateOptions validate_options;
  auto* validate_command = app.add_subcommand("validate", "reads the configuration and prints every mistake");
  add_config(validate_command, validate_options.config);
  validate_command->add_flag("--print", validate_options.print,
                             "print the effective configuration, secrets hidden");

  CheckOptions check_options;
  std::string wait = "0s";
  auto* check_command = app.add_subcommand("check", "runs the checks, dependencies first, without serving");
  add_config(check_command, check_options.config);
  check_command->add_option("--wait", wait, "keep trying until all pass, at most so long")
      ->check(check_duration, "DURATION");
  check_command->add_flag("--json", check_options.json, "print one JSON document");

  HealthcheckOptions health_options;
  std::string log_max = "10MiB";
  auto* health_command = app.add_subcommand("healthcheck", "asks the running probegate over loopback");
  add_config(health_command, health_options.config);
  health_command->add_option("probe", health_options.probe, "startup, ready or live (default: live)")
      ->check(CLI::IsMember({"startup", "ready", "live"}));
  add_url(health_command, health_options.url);
  health_command->add_option("--log-file", health_options.log_file, "append every failure to this file");
  health_command->add_option("--log-max", log_max, "rotate the log file to FILE.1 at this size")
      ->check(check_size, "SIZE");

  StatusOptions status_options;
  auto* status_command = app.add_subcommand("status", "shows the running probegate's state");
  add_config(status_command, status_options.config);
  add_url(status_command, status_options.url);
  status_command->add_flag("--watch", status_options.watch, "go on until interrupted");
  status_command->add_flag("--json", status_options.json,
                           "print what /status says; with --watch a line for each change");

  SmokeOptions smoke_options;
  std::string smoke_timeout = "5s";
  auto* smoke_command =
      app.add_subcommand("smoke", "makes real WebSocket connections through the door, and measures them");
  smoke_command->add_option("url", smoke_options.url, "such as ws://127.0.0.1:8080/ws")->required();
  smoke_command
      ->add_option("-n,--connections", smoke_options.connections,
                   "how many, one after the other (default: 10)")
      ->check(CLI::Range(1, 100'000));
  smoke_command->add_option("--timeout", smoke_timeout, "of each (default: 5s)")
      ->check(check_positive_duration, "DURATION");
  smoke_command->add_flag("--json", smoke_options.json, "print one JSON document");

  RenderOptions render_options;
  auto* render_command =
      app.add_subcommand("render", "prints the manifest whose probes and times fit the configuration");
  add_config(render_command, render_options.config);
  render_command->add_option("platform", render_options.platform, "cloud-run, compose or kubernetes")
      ->required()
      ->check(CLI::IsMember({"cloud-run", "compose", "kubernetes"}));
  render_command->add_option("--name", render_options.names.service, "of the service (default: app)")
      ->check(check_name, "NAME");
  render_command->add_option("--image", render_options.names.image, "of probegate")
      ->check(check_image, "IMAGE");
  render_command->add_option("--backend-image", render_options.names.backend_image, "of the backend")
      ->check(check_image, "IMAGE");

  for (auto* command : app.get_subcommands({})) command->set_version_flag("--version", app.version());
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    return report_usage_error(app, error);
  }
  check_options.wait = *config::parse_duration(wait);
  health_options.log_max = *config::parse_size(log_max);

  if (run_command->parsed()) return run(run_options);
  if (validate_command->parsed()) return validate(validate_options);
  if (check_command->parsed()) return check(check_options);
  smoke_options.timeout = *config::parse_duration(smoke_timeout);
  if (smoke_command->parsed()) return smoke(smoke_options);
  if (status_command->parsed()) return status(status_options);
  if (render_command->parsed()) return render(render_options);
  return healthcheck(health_options);
}

}  // namespace probegate::app
