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

// Handles an exception that nothing caught, usually a lack of memory or threads at the start. Prints one
// sentence instead of dying by SIGABRT. Allocates nothing.
[[noreturn]] void report_uncaught() {
  const auto say = [](const char* text) { (void)!::write(STDERR_FILENO, text, std::strlen(text)); };
  try {
    if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
    std::abort();  // no exception: a fault of the program
  } catch (const std::bad_alloc&) {
    say("probegate: out of memory; raise the limit of the container or of the address space (ulimit -v)\n");
  } catch (const std::exception& error) {
    say("probegate: fatal error: ");
    say(error.what());
    say("\n");
  } catch (...) {
    std::abort();
  }
  ::_exit(probegate::exit_code::kFailed);
}

}  // namespace

int main(int argc, char** argv) {
  // `run` ends with a drain, so signals wait for their handlers from the first instruction on. The other
  // commands keep the default action.
  if (argc > 1 && std::string_view(argv[1]) == "run") probegate::loop::hold_signals();
  std::set_terminate(report_uncaught);
  probegate::cli::Arguments arguments(argc, argv);
  return probegate::cli::run_command_line(arguments.count(), arguments.values());
}
