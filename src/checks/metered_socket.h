// MeteredSocket: stands between a library and the connection it made, and lets through only so many bytes.
//
// libpq reads from its socket itself and grows its buffer to whatever a message announces: a row of 1 GiB is
// 1 GiB of memory, read within one call. So one end of a socket pair takes the place of the connection under
// the descriptor that libpq knows, and the bytes are handed on from here, TLS or not. That bounds both what
// one call can read (what the pair holds) and what an attempt can. The alternatives: bytes counted with
// FIONREAD between calls do not bound a call, a small receive buffer is refilled while it is read, and a
// recv() of our own for the whole program would be in everybody's way.
//
// Owns: the connection, and our end of the pair. The library's end stays the library's. Destroyed after the
// library has closed its end, it sends what that said last. Thread: the loop's.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

#include "loop/fd_watch.h"

namespace probegate::checks {

class MeteredSocket {
 public:
  // `socket` is connected, and nobody watches it. Throws std::runtime_error without descriptors.
  MeteredSocket(loop::Loop& loop, int socket, std::size_t limit);
  ~MeteredSocket();
  MeteredSocket(const MeteredSocket&) = delete;
  MeteredSocket& operator=(const MeteredSocket&) = delete;

  bool stands_behind(int socket) const;  // false: the library has opened another one under this number

  // So much may come from now on. What is more ends the connection.
  void allow(std::size_t limit);
  bool exceeded() const { return exceeded_; }
  std::size_t passed() const { return passed_; }  // since allow()

 private:
  struct Way {  // from `from` to `to`
    int from;
    int to;
    std::string waiting = {};  // read and not yet taken
    bool ended = false;
  };

  void on_ready();
  void move(Way& way, std::size_t most);
  bool flush(Way& way);
  void end(Way& way);
  void watch();

  const int server_;  // the connection
  int ours_ = -1;     // of the pair
  ino_t theirs_ = 0;  // which file the library's end is
  std::size_t limit_;
  std::size_t passed_ = 0;
  bool exceeded_ = false;
  Way in_;
  Way out_;
  std::optional<loop::FdWatch> server_watch_;
  std::optional<loop::FdWatch> ours_watch_;
};

}  // namespace probegate::checks
