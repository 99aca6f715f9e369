#include "sidecar/listen_check.h"

#include <catch2/catch.hpp>
#include <optional>

#include "support/fake_peer.h"
#include "support/test_loop.h"

namespace probegate::test {
namespace {

constexpr const char* kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

// What the check says of a port that plays `script_for` to its clients, once it says something.
std::string verdict(std::function<Script(std::size_t)> script_for) {
  VirtualTime time;
  TestLoop loop;
  FakePeer port(loop, std::move(script_for));
  std::optional<std::string> said;
  sidecar::ListenCheck check(loop, port.endpoint(), [&](std::string problem) { said = std::move(problem); });
  loop.until([&] { return said.has_value(); });
  return said.value_or("(nothing)");
}

TEST_CASE("A port that answers HTTP is one that listens") {
  CHECK(verdict([](std::size_t) { return Script{expect("\r\n\r\n"), send(kAnswer)}; }) == "");
}

TEST_CASE("A port that closes connections because it has too many is asked again") {
  const auto end = GENERATE(Step{Step::Kind::close}, Step{Step::Kind::reset});
  CHECK(verdict([&](std::size_t client) {
          return client < 3 ? Script{end} : Script{expect("\r\n\r\n"), send(kAnswer)};
        }) == "");
}

TEST_CASE("A port that never answers is none that listens, whatever it does instead") {
  CHECK(verdict([](std::size_t) { return Script{reset()}; }) == "it closes connections without an answer");
  CHECK(verdict([](std::size_t) { return Script{close()}; }) == "it closes connections without an answer");
  CHECK(verdict([](std::size_t) { return Script{}; }) == "no answer within 5 s");
  CHECK(verdict([](std::size_t) { return Script{send("220 mail.example.com ESMTP\r\n")}; }) ==
        "another program answers on this address");
}

TEST_CASE("A port that refuses connections is none that listens") {
  TestLoop loop;
  std::optional<Endpoint> endpoint;
  { endpoint = FakePeer(loop, Script{}).endpoint(); }
  std::optional<std::string> said;
  sidecar::ListenCheck check(loop, *endpoint, [&](std::string problem) { said = std::move(problem); });
  REQUIRE(loop.until([&] { return said.has_value(); }));
  CHECK(said == "connection refused");
}

}  // namespace
}  // namespace probegate::test
