// The exit codes users rely on. Not an enum class: they leave the program as plain ints.
#pragma once

namespace probegate::exit_code {

inline constexpr int kOk = 0;      // drained; all pass; healthy
inline constexpr int kFailed = 1;  // startup timeout under `exit`, forced end, a check or probe that fails
inline constexpr int kUsage = 2;   // bad configuration or command line
inline constexpr int kCannotListen = 3;  // a port is taken or not allowed

}  // namespace probegate::exit_code
