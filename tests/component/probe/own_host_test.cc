#include "probe/own_host.h"

#include <catch2/catch.hpp>

#include "probe_fixture.h"

namespace probegate::probe {
namespace {

TEST_CASE("Names of the loopback, addresses and listed names are ours, and no other name is") {
  const std::vector<std::string> names{"Gate.internal"};
  for (const char* host : {"", "localhost", "LOCALHOST:9090", "localhost.", "a.localhost:1", "127.0.0.1",
                           "10.1.2.3:9090", "[::1]", "[::1]:9090", "gate.internal", "GATE.internal.:9090"}) {
    CAPTURE(host);
    CHECK(is_own_host(host, names));
  }
  for (const char* host :
       {"evil.example", "evil.example:9090", "localhost.evil.example", "127.0.0.1.evil.example", "xlocalhost",
        "[evil]", "[::1", "0x7f.1", "gate", "internal", "user@localhost"}) {
    CAPTURE(host);
    CHECK_FALSE(is_own_host(host, names));
  }
}

TEST_CASE("A page of somebody else's name is not shown, while probes and metrics answer to every name") {
  ProbeFixture f;
  const auto get = [&](std::string_view path, std::string_view host) {
    RawClient one = f.client();
    one.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: " + std::string(host) +
             "\r\nConnection: close\r\n\r\n");
    return f.answer(one).status;
  };
  f.server.publish(f.snapshot(health::GateState::open));
  for (const char* path : {"/", "/events", "/status", "/status?x=1"}) {
    CAPTURE(path);
    CHECK(get(path, "evil.example:9090") == 403);
  }
  for (const char* path : {"/health/ready", "/health/live", "/startup", "/metrics"}) {
    CAPTURE(path);
    CHECK(get(path, "evil.example:9090") == 200);
  }
  CHECK(get("/status", "gate.internal") == 403);
  f.server.set_hosts({"gate.internal"});
  CHECK(get("/status", "gate.internal:9090") == 200);
  CHECK(get("/", "localhost:9090") == 200);
}

}  // namespace
}  // namespace probegate::probe
