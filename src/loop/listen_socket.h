// ListenSocket: a bound, listening descriptor, made before any thread starts so that a taken port ends the
// start.
//
// Owns: the descriptor and, for unix sockets, the file it unlinks when destroyed, where that is still the one
// it made: a process that replaces this one may have put its own in its place.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/endpoint.h"
#include "base/result.h"

namespace probegate::loop {

class ListenSocket {
 public:
  // The error names the address and, where it can be read, the process that holds the port. Resolves only
  // literal addresses and "localhost". A unix path left over by a dead process is replaced; a living one is
  // "in use".
  static Result<ListenSocket> bind(const Endpoint& endpoint);

  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&&) = delete;
  ~ListenSocket();

  struct File {
    dev_t device;
    ino_t inode;
    bool operator==(const File&) const = default;
  };

  int descriptor() const { return fd_; }
  Result<int> duplicate() const;                          // for another loop; the caller owns it
  const Endpoint& endpoint() const { return endpoint_; }  // with the real port where 0 was asked for
  void close();  // stops listening; connections not yet accepted are reset

 private:
  ListenSocket(int fd, Endpoint endpoint, std::optional<File> file)
      : fd_(fd), endpoint_(std::move(endpoint)), file_(file) {}
  int fd_ = -1;
  Endpoint endpoint_;
  std::optional<File> file_;  // of a unix socket
};

}  // namespace probegate::loop
