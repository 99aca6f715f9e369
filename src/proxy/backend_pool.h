// BackendPool: connections to the one backend: new ones, and idle ones kept for the next request of this
// loop.
//
// Owns: the idle connections and the resolved address of the backend. Invariant: an idle connection is
// watched, so one that the backend has closed, or on which it has said something unasked, is never handed out
// knowingly; a request that still meets a dead one is the caller's to retry (once, safe methods only). Idle
// ones leave after 4 s, below the 5 s of common servers, or a second before the time the backend's Keep-Alive
// field names. Newest first out, so a burst's surplus ages away. However busy, none serves longer than about
// five minutes, so that traffic follows a name that has moved to another backend.
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

// A connect under way. Destroying it gives up.
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

  // What a connection is good for beyond the request that it was begun for.
  struct Lease {
    unsigned generation = 0;  // of the backend: one that the configuration names no more gets no new request
    std::uint64_t until_ms = 0;  // by the loop's clock
    bool kept_alive = false;     // Stream::keep_alive() has been called
    bool noted = false;          // Stream::note_arrivals()
  };
  static constexpr Duration kLifetime = std::chrono::minutes(5);
  // Keep-alive costs four system calls: not for a connection that is over by then.
  static constexpr Duration kKeepAliveAfter = std::chrono::milliseconds(50);

  explicit BackendPool(Environment& environment, Duration lifetime = kLifetime);
  ~BackendPool();

  // An idle connection, or one that is not open when there is none. Its observer is still the pool's: set
  // another.
  loop::Stream take_idle(Lease& lease);
  // For a connection that is begun now.
  Lease new_lease();

  // A new connection, within timeouts.connect in all. A refused connect is tried again until then, except
  // when the host says that the refusal closes the gate. Exactly one of the two is called, in a later turn.
  std::unique_ptr<BackendConnect> connect(Connected connected, Failed failed);

  // Takes back a connection between two requests, or closes it when its lease is over. `keep_alive_seconds`
  // is what the backend's Keep-Alive said, if anything.
  void give_back(loop::Stream stream, const Lease& lease, std::optional<int> keep_alive_seconds);

  void close_idle();

  // The configuration names another backend: what is connected to the old one is not for new requests.
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
  unsigned generation_ = 0;  // counts the backends
};

}  // namespace probegate::proxy
