// Connection: resolves, connects and optionally does TLS, then transfers bytes in both directions.
// Used by checks.
//
// Owns: the query, the concurrent connects and the TLS state. One object is one connection attempt; make a
// new one to reconnect. Addresses are tried as in RFC 8305 section 5 (the next one starts 250 ms after the
// previous), so a first address that drops packets does not use the caller's whole deadline. Errors:
// on_failed gets the phase and a readable cause. It has no deadline; the caller has one. May be destroyed at
// any time, also inside its own callbacks.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/endpoint.h"
#include "loop/loop.h"
#include "loop/tls.h"

namespace probegate::loop {

class Resolver;

class ConnectionObserver {
 public:
  enum class Phase {
    resolve,
    connect,
    tls,
    established,
    local,  // an error of this process, such as no descriptors left
  };
  virtual void on_open() = 0;
  virtual void on_data(std::span<const char> bytes) = 0;  // decrypted; valid during the call only
  virtual void on_end() = 0;                              // the peer has closed its sending side
  virtual void on_failed(Phase phase, const std::string& why) = 0;

 protected:
  ~ConnectionObserver() = default;
};

class Connection {
 public:
  Connection(Loop& loop, Resolver& resolver, const Endpoint& endpoint, const std::optional<TlsSettings>& tls,
             ConnectionObserver& observer);
  ~Connection();

  // Only after on_open. False if the connection is broken (no on_failed follows).
  [[nodiscard]] bool write(std::string_view bytes);
  void shutdown();  // TLS close_notify with TLS, then FIN

  // The current phase until on_open, for messages: "connecting". Null after that.
  const char* phase() const noexcept;

  // After on_open with TLS: the time until the peer's certificate expires (negative: expired).
  std::optional<Duration> certificate_left() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probegate::loop
