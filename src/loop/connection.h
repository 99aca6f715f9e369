// Connection: resolve, connect and, if asked, TLS; then bytes both ways. What checks talk through.
//
// Owns: the query, the racing streams and the TLS state of one conversation. One object is one connection
// attempt; make a new one to reconnect. Addresses are raced as RFC 8305 section 5 describes (the next one
// starts 250 ms after the one before), so a black-holed first address does not eat the caller's whole
// deadline. Errors: on_failed says in which phase and why, in a sentence for people. No deadline of its own:
// the caller has one. May be destroyed at any time, also inside its own callbacks.
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
    local,  // our own lack, such as no descriptors left: says nothing about the peer
  };
  virtual void on_open() = 0;
  virtual void on_data(std::span<const char> bytes) = 0;  // decrypted; valid during the call only
  virtual void on_end() = 0;                              // the peer sends no more
  virtual void on_failed(Phase phase, const std::string& why) = 0;

 protected:
  ~ConnectionObserver() = default;
};

class Connection {
 public:
  Connection(Loop& loop, Resolver& resolver, const Endpoint& endpoint, const std::optional<TlsSettings>& tls,
             ConnectionObserver& observer);
  ~Connection();

  // After on_open only. False when the connection is known to be broken (no on_failed follows).
  [[nodiscard]] bool write(std::string_view bytes);
  void shutdown();  // TLS close_notify where it applies, then FIN

  // What it is busy with until on_open, for messages: "connecting". Null after it.
  const char* phase() const noexcept;

  // After on_open over TLS: how long until the peer's certificate ends (negative: it has).
  std::optional<Duration> certificate_left() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probegate::loop
