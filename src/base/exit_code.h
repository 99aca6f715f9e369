// The documented exit codes. Not an enum class, because main() returns plain ints.
#pragma once

namespace probegate::exit_code {

inline constexpr int kOk = 0;      // drained; all pass; healthy
inline constexpr int kFailed = 1;  // startup timeout under `exit`, forced end, a check or probe that fails
inline constexpr int kUsage = 2;   // bad configuration or command line
inline constexpr int kCannotListen = 3;  // a port is in use or not permitted

}  // namespace probegate::exit_code
