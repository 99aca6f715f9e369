#include "cli/command_line.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "base/exit_code.h"
#include "cli/arguments.h"
#include "cli/command_declarations.h"
#include "cli/usage.h"
#include "cli/version_text.h"
#include "config/environment.h"

namespace probegate::cli {
namespace {

// If stdout were closed at the start, the next socket would get its number and the log would write into it.
void occupy_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) std::ignore = ::open("/dev/null", O_RDWR);  // takes the lowest free number
  }
}

}  // namespace

int run_command_line(int argc, char** argv) {
  occupy_standard_descriptors();
  ::signal(SIGPIPE, SIG_IGN);  // a closed peer or log reader is reported as an error by write()
  config::hide_from_libraries("PG");
  CLI::App app{
      "probegate: health probes for a backend, and a proxy that forwards WebSocket and HTTP traffic "
      "to it once it is ready",
      "probegate"};
  app.set_version_flag("--version", version_text(), "print version, commit and the check types built in");
  app.require_subcommand(1);
  const auto commands = declare_commands(app);
  for (const auto& command : commands)
    command.parser->set_version_flag("--version", app.version(), "print version, commit and check types");
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (const auto code = answer_first_word(app, words)) return *code;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    return report_usage_error(app, error, words);
  }
  for (const auto& command : commands) {
    if (command.parser->parsed()) return command.run();
  }
  return exit_code::kUsage;  // unreachable: require_subcommand() makes parse() fail without a command
}

}  // namespace probegate::cli
