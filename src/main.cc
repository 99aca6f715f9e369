#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>

#include "base/exit_code.h"
#include "cli/arguments.h"
#include "cli/command_line.h"
#include "loop/signal_mask.h"

namespace {

// An exception that nobody caught: out of memory or of threads at the start, as a rule. Said in a sentence
// where it would be SIGABRT; allocates nothing.
[[noreturn]] void report_uncaught() {
  const auto say = [](const char* text) { (void)!::write(STDERR_FILENO, text, std::strlen(text)); };
  try {
    if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
    std::abort();  // no exception: a fault of the program
  } catch (const std::bad_alloc&) {
    say("probegate: out of memory; raise the limit of the container or of the address space (ulimit -v)\n");
  } catch (const std::exception& error) {
    say("probegate: cannot go on: ");
    say(error.what());
    say("\n");
  } catch (...) {
    std::abort();
  }
  ::_exit(probegate::exit_code::kFailed);
}

}  // namespace

int main(int argc, char** argv) {
  // The sidecar's own end is a drain, from its first instruction on; other commands end as any program does.
  if (argc > 1 && std::string_view(argv[1]) == "run") probegate::loop::hold_signals();
  std::set_terminate(report_uncaught);
  probegate::cli::Arguments arguments(argc, argv);
  return probegate::cli::run_command_line(arguments.count(), arguments.values());
}
