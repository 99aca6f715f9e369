#include "cli/command_line.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
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
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  const auto dashes = std::find(words.begin(), words.end(), "--");
  const std::vector<std::string> tail(dashes == words.end() ? dashes : dashes + 1, words.end());
  words.erase(dashes, words.end());
  const auto commands = declare_commands(app, tail);
  for (const auto& command : commands)
    command.parser->set_version_flag("--version", app.version(), "print version, commit and check types");
  if (const auto code = answer_first_word(app, words)) return *code;
  try {
    app.parse(static_cast<int>(words.size()) + std::min(argc, 1), argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    return report_usage_error(app, error, words);
  }
  for (const auto& command : commands) {
    if (!command.parser->parsed()) continue;
    if (tail.empty() || command.executes) return command.run();
    std::cerr << "probegate: " << command.parser->get_name()
              << " executes no command; leave out what follows --\n";
    return exit_code::kUsage;
  }
  return exit_code::kUsage;  // unreachable: require_subcommand() makes parse() fail without a command
}

}  // namespace probegate::cli
