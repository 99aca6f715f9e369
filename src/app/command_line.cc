#include "app/command_line.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <tuple>

#include "app/arguments.h"
#include "app/command_declarations.h"
#include "app/exit_code.h"
#include "app/version.h"
#include "config/environment.h"

namespace probegate::app {
namespace {

// CLI11 says what is wrong; this adds where to read more, and makes it exit code 2.
int report_usage_error(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  std::string command = "probegate";
  if (const auto chosen = app.get_subcommands(); !chosen.empty()) command += " " + chosen.front()->get_name();
  std::cerr << "probegate: " << without_secrets(error.what(), argc, argv) << "\nTry '" << command << " --help'.\n";
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
  const auto commands = declare_commands(app);
  for (const auto& command : commands) command.parser->set_version_flag("--version", app.version());
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    return report_usage_error(app, error, argc, argv);
  }
  for (const auto& command : commands) {
    if (command.parser->parsed()) return command.run();
  }
  return exit_code::kUsage;  // require_subcommand() has seen to it that one was
}

}  // namespace probegate::app
