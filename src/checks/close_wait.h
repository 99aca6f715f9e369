// CloseWait: waits until a server has ended a session that a library closes without waiting for it.
//
// A server that allows a user one session refuses the next while the old one is ending. Both PostgreSQL and
// MariaDB close the connection last, so its end says that the session no longer counts. Owns: a descriptor of
// its own for the library's socket, which keeps the connection open until the server has read the library's
// goodbye. Thread: the loop's.
#pragma once

#include <functional>
#include <optional>

#include "loop/fd_watch.h"
#include "loop/timer.h"

namespace probegate::checks {

class CloseWait {
 public:
  // Before the library closes `socket`. `done` is called once, at the end of the connection or when `limit`
  // has passed; it may destroy us.
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
