// BackendPool: connections to the one backend: new ones, and idle ones kept for the next request
// of this loop.
//
// Owns: the idle connections and the resolved address of the backend. Invariant: idle connections are
// watched, and one on which the backend has sent something or closed is dropped. A request can still meet a
// dead one; the caller then retries (once, safe methods only). Idle connections are closed after 4 s, below
// the 5 s of common servers, or a second before the time in the backend's Keep-Alive field. The newest is
// used first, so that those left over from a burst expire. Every connection is used for about five minutes
// at most, so that traffic follows a name that has moved to another backend.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loop/deadline.h"
#include "loop/resolver.h"
#include "loop/stream.h"
#include "proxy/environment.h"

namespace probegate::proxy {

// A pending connect. Destroying it cancels it.
class BackendConnect {
 public:
  virtual ~BackendConnect() = default;
};

class BackendPool {
 public:
  struct Failure {
    bool timed_out;   // no answer within timeouts.connect; otherwise refused, unreachable or unresolvable
    std::string why;  // "connection refused"
  };
  using Connected = std::function<void(loop::Stream)>;
  using Failed = std::function<void(Failure)>;

  // The state of a connection across requests.
  struct Lease {
    unsigned generation = 0;     // of the backend address; a connection to an old address gets no new request
    std::uint64_t until_ms = 0;  // by the loop's clock
    bool kept_alive = false;     // Stream::keep_alive() has been called
    bool noted = false;          // Stream::note_arrivals()
  };
  static constexpr Duration kLifetime = std::chrono::minutes(5);
  // TCP keep-alive costs four system calls, so it is not set on connections that end before this.
  static constexpr Duration kKeepAliveAfter = std::chrono::milliseconds(50);

  explicit BackendPool(Environment& environment, Duration lifetime = kLifetime);
  ~BackendPool();

  // An idle connection; if there is none, the stream is not open. The caller must set its own observer.
  loop::Stream take_idle(Lease& lease);
  // For a new connection.
  Lease new_lease();

  // Opens a new connection within timeouts.connect. Retries a refused connect until then, unless the refusal
  // closes the gate. Calls exactly one of the two, in a later turn.
  std::unique_ptr<BackendConnect> connect(Connected connected, Failed failed);

  // Keeps a connection for the next request, or closes it if its lease is over. `keep_alive_seconds`: the
  // timeout of the backend's Keep-Alive field, if any.
  void give_back(loop::Stream stream, const Lease& lease, std::optional<int> keep_alive_seconds);

  void close_idle();

  // The configuration names another backend: connections to the old one get no new requests.
  void backend_changed();

 private:
  class Idle;
  class Connecting;

  void drop(Idle& idle);

  Environment& environment_;
  loop::Resolver resolver_;
  std::vector<std::unique_ptr<Idle>> idle_;  // oldest first
  std::vector<loop::Address> addresses_;     // of a backend given by name
  TimePoint resolved_at_{};
  Duration lifetime_;
  unsigned generation_ = 0;  // counts the changes of the backend address
};

}  // namespace probegate::proxy
