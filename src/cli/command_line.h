// The command line: which command, with which options. Only parses; each command has a file of its own.
#pragma once

namespace probegate::cli {

// Returns the exit code of the process (exit_code.h). Prints errors in the arguments, with a hint, on stderr.
int run_command_line(int argc, char** argv);

}  // namespace probegate::cli
