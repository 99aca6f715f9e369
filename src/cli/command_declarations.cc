#include "cli/command_declarations.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <iostream>
#include <memory>

#include "base/exit_code.h"
#include "cli/command_tree.h"
#include "cli/commands.h"
#include "config/scalars.h"

namespace probegate::cli {
namespace {

std::string check_duration(const std::string& text) {
  if (config::parse_duration(text)) return "";
  return "expected a duration such as 500ms, 60s or 5m, got '" + text + "'";
}

std::string check_positive_duration(const std::string& text) {
  const auto duration = config::parse_duration(text);
  if (duration && *duration > Duration::zero()) return "";
  return "expected a duration above 0 such as 500ms, 60s or 5m, got '" + text + "'";
}

std::string check_pause(const std::string& text) {
  const auto duration = config::parse_duration(text);
  if (duration && *duration > Duration::zero() && *duration <= std::chrono::hours(1)) return "";
  return "expected a duration above 0 of at most 1h, such as 90s or 10m, got '" + text + "'";
}

std::string check_size(const std::string& text) {
  if (config::parse_size(text)) return "";
  return "expected a size such as 64KiB or 10MiB, got '" + text + "'";
}

// A name that all three platforms accept and that YAML needs no quotes for.
std::string check_name(const std::string& text) {
  constexpr std::size_t kLongest = 40;
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  const bool letter_first = !text.empty() && text.front() >= 'a' && text.front() <= 'z';
  const bool all_fit = std::all_of(text.begin(), text.end(), fits);
  if (letter_first && all_fit && text.back() != '-' && text.size() <= kLongest) return "";
  return "expected a name of a-z, 0-9 and - that starts with a letter and has at most 40 characters, got '" +
         text + "'";
}

// An image name of any registry that YAML needs no quotes for.
std::string check_image(const std::string& text) {
  const auto fits = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::strchr("._-/:@", c) != nullptr;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), fits)) return "";
  return "expected an image name such as registry/app:1.0, got '" + text + "'";
}

void add_config(CLI::App* command, std::optional<std::string>& path) {
  command
      ->add_option("-c,--config", path,
                   "the configuration file (default: /etc/probegate/probegate.yaml if present, otherwise the "
                   "environment alone)")
      ->type_name(kFileType);
}

void add_url(CLI::App* command, std::optional<std::string>& url) {
  command->add_option("--url", url, "the probe port, such as http://127.0.0.1:9090 or unix:/path")
      ->type_name("URL");
}

void add_duration(CLI::App* command, const std::string& name, Duration& value, const std::string& help,
                  std::string (*check)(const std::string&)) {
  const auto set = [&value](const std::string& text) { value = *config::parse_duration(text); };
  command->add_option_function<std::string>(name, set, help)->check(check)->type_name("DURATION");
}

// Keeps `options` alive: CLI11 writes into it while it parses, then `run` reads it.
template <typename Options>
std::function<int()> runner(int (*run)(const Options&), std::shared_ptr<Options> options) {
  return [run, options = std::move(options)] { return run(*options); };
}

Command declare_run(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  auto* command = app.add_subcommand("run", "runs the sidecar: checks, probes and proxy");
  add_config(command, options->config);
  return {command, runner(run, options)};
}

Command declare_validate(CLI::App& app) {
  auto options = std::make_shared<ValidateOptions>();
  auto* command = app.add_subcommand("validate", "reads the configuration and prints every mistake");
  add_config(command, options->config);
  command->add_flag("--print", options->print, "print the effective configuration, secrets hidden");
  return {command, runner(validate, options)};
}

constexpr const char* kExecutes =
    "With -- CMD ARGS... it then executes CMD in its place. CMD that cannot be executed: exit 126, or 127 if "
    "it is "
    "not found.";

Command declare_check(CLI::App& app, const std::vector<std::string>& tail) {
  auto options = std::make_shared<CheckOptions>();
  options->command = tail;
  auto* command = app.add_subcommand("check", "runs the checks, dependencies first, without serving");
  add_config(command, options->config);
  add_duration(command, "--wait", options->wait, "retry until all checks pass, for at most this time",
               check_duration);
  command->add_flag("--json", options->json, "print one JSON document");
  command->footer(kExecutes);
  return {command, runner(check, options), true};
}

Command declare_wait(CLI::App& app, const std::vector<std::string>& tail) {
  auto options = std::make_shared<WaitOptions>();
  options->command = tail;
  auto* command = app.add_subcommand("wait", "waits until a probe of the running probegate passes");
  add_config(command, options->config);
  add_url(command, options->url);
  command
      ->add_option("--for", options->probe, "the probe to wait for: startup, ready or live (default: ready)")
      ->check(CLI::IsMember({"startup", "ready", "live"}));
  add_duration(command, "--timeout", options->timeout, "the time limit (default: 60s)",
               check_positive_duration);
  command->footer(kExecutes);
  return {command, runner(wait, options), true};
}

Command declare_healthcheck(CLI::App& app) {
  auto options = std::make_shared<HealthcheckOptions>();
  auto* command = app.add_subcommand("healthcheck", "asks a probe of the running probegate over loopback");
  add_config(command, options->config);
  command->add_option("probe", options->probe, "the probe to ask: startup, ready or live (default: live)")
      ->check(CLI::IsMember({"startup", "ready", "live"}));
  add_url(command, options->url);
  command->add_option("--log-file", options->log_file, "append a line to this file for every failure")
      ->type_name(kFileType);
  command
      ->add_option_function<std::string>(
          "--log-max",
          [options = options.get()](const std::string& text) {
            options->log_max = *config::parse_size(text);
          },
          "rotate the log file to FILE.1 at this size (default: 10MiB)")
      ->check(check_size)
      ->type_name("SIZE");
  return {command, runner(healthcheck, options)};
}

Command declare_reload(CLI::App& app) {
  auto options = std::make_shared<ReloadCommandOptions>();
  auto* command = app.add_subcommand(
      "reload", "makes the running probegate reload its configuration, and prints what changed");
  add_config(command, options->config);
  add_url(command, options->url);
  command->add_flag("--json", options->json, "print the answer as JSON");
  return {command, runner(reload, options)};
}

Command declare_drain(CLI::App& app) {
  auto options = std::make_shared<DrainCommandOptions>();
  auto* command = app.add_subcommand("drain", "makes the running probegate drain without ending it");
  add_config(command, options->config);
  add_url(command, options->url);
  command->add_flag("--wait", options->wait,
                    "return when no session is left or drain.timeout has passed; exit 1 if any was cut");
  add_duration(command, "--timeout", options->timeout,
               "the time limit of --wait (default: what the drain may take)", check_positive_duration);
  return {command, runner(drain, options)};
}

Command declare_resume(CLI::App& app) {
  auto options = std::make_shared<GateCommandOptions>();
  auto* command = app.add_subcommand("resume", "ends a pause, or a drain that `probegate drain` began");
  add_config(command, options->config);
  add_url(command, options->url);
  return {command, runner(resume, options)};
}

Command declare_pause(CLI::App& app) {
  auto options = std::make_shared<PauseCommandOptions>();
  auto* command =
      app.add_subcommand("pause", "closes the gate of the running probegate by hand; open tunnels stay");
  add_config(command, options->config);
  add_url(command, options->url);
  add_duration(command, "--for", options->time, "how long, at most 1h (default: 10m)", check_pause);
  command
      ->add_option("--message", options->message, "why, for the status page and the log; at most 256 bytes")
      ->type_name("TEXT");
  return {command, runner(pause, options)};
}

Command declare_status(CLI::App& app) {
  auto options = std::make_shared<StatusOptions>();
  auto* command = app.add_subcommand("status", "shows the running probegate's state");
  add_config(command, options->config);
  add_url(command, options->url);
  command->add_flag("--watch", options->watch,
                    "show every change until interrupted; on a terminal the screen is redrawn");
  command->add_flag("--json", options->json,
                    "print the JSON document of /status; with --watch a line for each change");
  return {command, runner(status, options)};
}

Command declare_smoke(CLI::App& app) {
  auto options = std::make_shared<SmokeOptions>();
  auto* command =
      app.add_subcommand("smoke", "makes WebSocket connections through the proxy and measures their latency");
  command
      ->add_option("url", options->url,
                   "the WebSocket to connect to, such as ws://127.0.0.1:8080/ws or wss://host/ws")
      ->required()
      ->type_name("URL");
  command
      ->add_option("-n,--connections", options->connections,
                   "the number of connections, made one after the other (default: 10)")
      ->check(CLI::Range(1, 100'000))
      ->type_name("COUNT");
  command
      ->add_option("--header", options->headers,
                   "a header of the handshake, such as 'Origin: https://chat.example'; may be repeated")
      ->allow_extra_args(false)
      ->type_name("NAME:VALUE");
  command->add_option("--subprotocol", options->subprotocols, "a subprotocol to offer; may be repeated")
      ->allow_extra_args(false)
      ->type_name("NAME");
  add_duration(command, "--timeout", options->timeout, "the time limit per connection (default: 5s)",
               check_positive_duration);
  command->add_flag("--json", options->json, "print one JSON document");
  return {command, runner(smoke, options)};
}

Command declare_report(CLI::App& app) {
  auto options = std::make_shared<ReportOptions>();
  auto* command =
      app.add_subcommand("report", "watches the running probegate and writes a monitoring report");
  add_config(command, options->config);
  add_url(command, options->url);
  add_duration(command, "--for", options->window,
               "the time to watch for (default: 25m); Ctrl-C ends earlier and still reports",
               check_positive_duration);
  command
      ->add_option("--fail-on", options->fail_on,
                   "exit 1 if any of these conditions held in any minute, such as "
                   "'refused_ratio>0.01,check_failures>0,rss_bytes>100MiB'; the names are " +
                       config::condition_names(config::Observer::remote))
      ->type_name("CONDITIONS");
  command->add_flag("--json", options->json, "print the report as one JSON document at the end");
  return {command, runner(report, options)};
}

Command declare_render(CLI::App& app) {
  auto options = std::make_shared<RenderOptions>();
  auto* command =
      app.add_subcommand("render", "prints a manifest with probes and timeouts that fit the configuration");
  add_config(command, options->config);
  command
      ->add_option("platform", options->platform,
                   "the platform the manifest is for: cloud-run, compose or kubernetes")
      ->required()
      ->check(CLI::IsMember({"cloud-run", "compose", "kubernetes"}));
  command
      ->add_option("--name", options->names.service,
                   "the name of the service and of what belongs to it (default: app)")
      ->check(check_name)
      ->type_name("NAME");
  command
      ->add_option("--image", options->names.image,
                   "the image of probegate (default: a placeholder in the platform's format)")
      ->check(check_image)
      ->type_name("IMAGE");
  command
      ->add_option("--backend-image", options->names.backend_image,
                   "the image of the backend (default: a placeholder in the platform's format)")
      ->check(check_image)
      ->type_name("IMAGE");
  command->add_flag("--hpa", options->names.autoscaled,
                    "kubernetes: leave out replicas, as a HorizontalPodAutoscaler sets them");
  return {command, runner(render, options)};
}

Command declare_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  auto* command = app.add_subcommand("completion", "prints a shell completion script");
  command->add_option("shell", *shell, "the shell the script is for: bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  return {command, [&app, shell] {
            std::cout << completion(command_tree(app), *shell);
            return exit_code::kOk;
          }};
}

Command declare_man(CLI::App& app) {
  auto* command = app.add_subcommand("man", "prints the manual page in the format of man(1)");
  return {command, [&app] {
            std::cout << man_page(command_tree(app));
            return exit_code::kOk;
          }};
}

}  // namespace

std::vector<Command> declare_commands(CLI::App& app, const std::vector<std::string>& tail) {
  return {declare_run(app),        declare_validate(app),    declare_check(app, tail),
          declare_wait(app, tail), declare_healthcheck(app), declare_status(app),
          declare_smoke(app),      declare_report(app),      declare_reload(app),
          declare_drain(app),      declare_resume(app),      declare_pause(app),
          declare_render(app),     declare_completion(app),  declare_man(app)};
}

}  // namespace probegate::cli
