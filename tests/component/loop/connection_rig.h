// A Connection that records what it is told, and a peer in plain text or behind TLS.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "loop/connection.h"
#include "loop/resolver.h"
#include "support/fake_peer.h"
#include "support/test_loop.h"
#include "support/test_tls.h"

namespace probegate::test {

// One Connection, and what it said.
struct Talk final : loop::ConnectionObserver {
  explicit Talk(TestLoop& l) : loop(l), resolver(l) {}

  void open(const Endpoint& endpoint, const std::optional<loop::TlsSettings>& tls = std::nullopt) {
    connection = std::make_unique<loop::Connection>(*loop, resolver, endpoint, tls, *this);
  }
  void on_open() override { note("open", opens); }
  void on_data(std::span<const char> bytes) override {
    received.append(bytes.data(), bytes.size());
    note("data", data);
  }
  void on_end() override { note("end", ends); }
  void on_failed(loop::ConnectionObserver::Phase p, const std::string& w) override {
    phase = p;
    why = w;
    note("failed", failures);
  }
  bool over() const { return failures > 0 || ends > 0; }
  bool until_over() {
    return loop.until([&] { return over(); });
  }
  // Says this once the connection is open, and hears it to its end.
  bool say(std::string_view bytes) {
    return loop.until([&] { return opens == 1; }) && connection->write(bytes) && until_over();
  }

  TestLoop& loop;
  loop::Resolver resolver;
  std::unique_ptr<loop::Connection> connection;
  std::string received, why;
  std::optional<loop::ConnectionObserver::Phase> phase;
  int opens = 0, data = 0, ends = 0, failures = 0;
  std::string destroy_in;  // the event inside which the connection is destroyed

 private:
  void note(const std::string& event, int& counter) {
    ++counter;
    if (event == destroy_in) connection.reset();
  }
};

inline loop::TlsSettings trusting(const Authority& ca, const std::string& name = "localhost") {
  return {name, ca.file(), true};
}

// A peer in plain text or behind TLS, spoken to in the same words.
struct Peer {
  Peer(TestLoop& loop, bool with_tls, Script script) : plain(loop, std::move(script)), settings() {
    if (!with_tls) return;
    ca.emplace("peer");
    front.emplace(*loop, ca->issue(), plain.endpoint());
    settings = trusting(*ca);
  }
  const Endpoint& endpoint() const { return front ? front->endpoint() : plain.endpoint(); }
  std::optional<Authority> ca;
  FakePeer plain;
  std::optional<TlsFront> front;
  std::optional<loop::TlsSettings> settings;
};

}  // namespace probegate::test
