// MeteredSocket: limits how many bytes a library can read from the connection it opened.
//
// libpq reads from its socket itself and grows its buffer to whatever a message announces: a row of 1 GiB is
// 1 GiB of memory, read within one call. So one end of a socket pair replaces the connection under the
// descriptor that libpq uses, and this class forwards the bytes, with or without TLS. That limits both one
// call (to the capacity of the pair) and a whole attempt. Alternatives rejected: counting bytes with FIONREAD
// between calls does not limit one call, a small receive buffer is refilled during the call, and replacing
// recv() would affect the whole program.
//
// Owns: the connection and this end of the pair; the library owns the other end. If destroyed after the
// library has closed its end, it still sends the library's final bytes. Thread: the loop's.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

#include "loop/fd_watch.h"

namespace probegate::checks {

class MeteredSocket {
 public:
  // `socket` must be connected and not watched. Throws std::runtime_error if no descriptors are available.
  MeteredSocket(loop::Loop& loop, int socket, std::size_t limit);
  ~MeteredSocket();
  MeteredSocket(const MeteredSocket&) = delete;
  MeteredSocket& operator=(const MeteredSocket&) = delete;

  bool stands_behind(int socket) const;  // false: the library has opened another socket with this number

  // Allows `limit` more bytes from now on. More data ends the connection.
  void allow(std::size_t limit);
  bool exceeded() const { return exceeded_; }
  std::size_t passed() const { return passed_; }  // since allow()

 private:
  struct Way {  // from `from` to `to`
    int from;
    int to;
    std::string waiting = {};  // read and not yet written
    bool ended = false;
  };

  void on_ready();
  void move(Way& way, std::size_t most);
  bool flush(Way& way);
  void end(Way& way);
  void watch();

  const int server_;  // the connection
  int ours_ = -1;     // of the pair
  ino_t theirs_ = 0;  // inode of the library's end
  std::size_t limit_;
  std::size_t passed_ = 0;
  bool exceeded_ = false;
  Way in_;
  Way out_;
  std::optional<loop::FdWatch> server_watch_;
  std::optional<loop::FdWatch> ours_watch_;
};

}  // namespace probegate::checks
