// BackendPool: connections to the one backend: new ones, and idle ones kept for the next request of this
// loop.
//
// Owns: the idle connections and the resolved address of the backend. Invariant: an idle connection is
// watched, so one that the backend has closed is never handed out knowingly; a request that still meets a
// dead one is the caller's to retry (once, safe methods only). Idle ones leave after 4 s, below the 5 s of
// common servers, or a second before the time the backend's Keep-Alive field names. Newest first out, so a
// burst's surplus ages away.
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

  explicit BackendPool(Environment& environment);
  ~BackendPool();

  // An idle connection, or one that is not open when there is none. Its observer is still the pool's: set
  // another.
  loop::Stream take_idle();

  // A new connection, within timeouts.connect in all. A refused connect is tried again until then, except
  // when the host says that the refusal closes the gate. Exactly one of the two is called, in a later turn.
  std::unique_ptr<BackendConnect> connect(Connected connected, Failed failed);

  // Takes back a connection between two requests. `keep_alive_seconds` is what the backend's Keep-Alive said,
  // if anything.
  void give_back(loop::Stream stream, std::optional<int> keep_alive_seconds);

  void close_idle();

  // The configuration names another backend: what is connected to the old one is not for new requests.
  void backend_changed();
  // Counts the backends; a connection begun under another number is not given back.
  unsigned generation() const { return generation_; }

 private:
  class Idle;
  class Connecting;

  void drop(Idle& idle);

  Environment& environment_;
  loop::Resolver resolver_;
  std::vector<std::unique_ptr<Idle>> idle_;  // oldest first
  std::vector<loop::Address> addresses_;     // of a backend given by name
  TimePoint resolved_at_{};
  unsigned generation_ = 0;
};

}  // namespace probegate::proxy
