// ListenSocket: a bound, listening descriptor, created before any thread starts, so that a port in use
// prevents the start.
//
// Owns: the descriptor and, for unix sockets, the file, which it unlinks when destroyed if it is still the
// one it created: a successor process may have replaced it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/endpoint.h"
#include "base/result.h"

namespace probegate::loop {

class ListenSocket {
 public:
  // The error has the address and, if known, the process that uses the port. Accepts only literal addresses
  // and "localhost". A unix socket left by a dead process is replaced; one with a listener is "in use".
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
  const Endpoint& endpoint() const { return endpoint_; }  // with the actual port if 0 was requested
  void close();  // stops listening; connections not yet accepted are reset

 private:
  ListenSocket(int fd, Endpoint endpoint, std::optional<File> file)
      : fd_(fd), endpoint_(std::move(endpoint)), file_(file) {}
  int fd_ = -1;
  Endpoint endpoint_;
  std::optional<File> file_;  // of a unix socket
};

}  // namespace probegate::loop
