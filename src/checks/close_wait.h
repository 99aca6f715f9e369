// CloseWait: waits until a server has ended a session that a library closes without waiting for it.
//
// A server with a limit of one session per user refuses a new one while the old one is ending. PostgreSQL and
// MariaDB close the connection last, so its end shows that the session no longer counts. Owns: a duplicate of
// the library's socket, which keeps the connection open until the server has read the library's final
// message. Thread: the loop's.
#pragma once

#include <functional>
#include <optional>

#include "loop/fd_watch.h"
#include "loop/timer.h"

namespace probegate::checks {

class CloseWait {
 public:
  // Construct it before the library closes `socket`. `done` is called once, when the connection ends or after
  // `limit`; it may destroy this object.
  CloseWait(loop::Loop& loop, int socket, Duration limit, std::function<void()> done);
  ~CloseWait();
  CloseWait(const CloseWait&) = delete;
  CloseWait& operator=(const CloseWait&) = delete;

 private:
  void on_ready();
  void end();

  const int fd_;
  const std::function<void()> done_;
  loop::Timer limit_;
  std::optional<loop::FdWatch> watch_;
};

}  // namespace probegate::checks
