// The example of docs/adding-a-check.md does what it says.
#include <catch2/catch.hpp>

#include "tests/component/checks/check_fixture.h"

namespace probegate::checks {
CheckPlan read_memcached(const config::CheckSpec& spec, const config::Config& config);  // examples/
}

namespace probegate::test {
namespace {

CheckResult ask(Script script) {
  const auto port = closed_port();
  auto outcome =
      read_check(checks::read_memcached, "memcached", "address: '127.0.0.1:" + std::to_string(port) + "'");
  REQUIRE(outcome.problems == std::vector<std::string>{});
  CheckUnderTest check(std::move(outcome.plan));
  FakePeer peer(
      check.loop, [&](std::size_t) { return script; }, Endpoint::tcp("127.0.0.1", port));
  const auto first = check.attempt();
  CHECK(text(check.attempt()) == text(first));
  return first;
}

}  // namespace

TEST_CASE("Example check passes on a memcached and tells other peers apart") {
  CHECK(text(ask({expect("version\r\n"), send_bytewise("VERSION 1.6.18\r\n")})) == "pass");
  CHECK(text(ask({expect("version\r\n"), send("-ERR unknown command\r\n")})) == "protocol: not a memcached");
  CHECK(text(ask({expect("version\r\n"), send(std::string(200, 'x'))})) == "protocol: not a memcached");
  CHECK(text(ask({expect("version\r\n"), close()})) == "connect: it closed the connection");
}

TEST_CASE("Example check says connect when nobody listens, and reads its address") {
  const auto address = "address: '127.0.0.1:" + std::to_string(closed_port()) + "'";
  CheckUnderTest check(read_check(checks::read_memcached, "memcached", address).plan);
  CHECK(check.attempt().error->kind == FailKind::connect);
  CHECK(read_check(checks::read_memcached, "memcached", "address: nowhere").problems.size() == 1);
}

}  // namespace probegate::test
