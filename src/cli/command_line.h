// The command line: which command, with which options. Parsing only; each command is a file of its own.
#pragma once

namespace probegate::cli {

// Returns the process's exit code (exit_code.h). Prints what is wrong with the arguments, and a hint, on
// stderr.
int run_command_line(int argc, char** argv);

}  // namespace probegate::cli
