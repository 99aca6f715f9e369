#include <catch2/catch.hpp>

#include "tests/component/checks/check_fixture.h"
#include "tests/support/test_tls.h"

namespace probegate::test {
namespace {

CheckPlan tcp_plan(const std::string& own_keys) { return plan_of(checks::read_tcp, "tcp", own_keys); }

std::string problems_of(const std::string& own_keys) {
  return problem_lines(checks::read_tcp, "tcp", own_keys);
}

// One attempt against a peer that plays the script.
CheckResult ask(const std::string& own_keys, Script script) {
  const auto port = closed_port();
  CheckUnderTest check(tcp_plan("address: '127.0.0.1:" + std::to_string(port) + "'" + own_keys));
  FakePeer peer(
      check.loop, [&](std::size_t) { return script; }, Endpoint::tcp("127.0.0.1", port));
  return check.attempt();
}

}  // namespace

TEST_CASE("TCP check passes when somebody listens") { CHECK(text(ask("", Script{})) == "pass"); }

TEST_CASE("TCP check reports each attempt once and can make the next one") {
  const auto port = closed_port();
  CheckUnderTest check(tcp_plan("address: '127.0.0.1:" + std::to_string(port) + "'"));
  CHECK(text(check.attempt()) ==
        "connect: cannot connect to 127.0.0.1:" + std::to_string(port) + ": connection refused");
  FakePeer peer(
      check.loop, [](std::size_t) { return Script{send("hello")}; }, Endpoint::tcp("127.0.0.1", port));
  CHECK(text(check.attempt()) == "pass");
  CHECK(text(check.attempt()) == "pass");
  check.loop.settle();
  CHECK(check.reports == 3);
  // Nothing stays open between attempts.
  CHECK(check.loop.until([&] { return peer.client(0).ended || peer.client(0).lost; }));
}

TEST_CASE("TCP check connects to a unix socket") {
  const std::string path = "/tmp/probegate-tcp-" + std::to_string(::getpid()) + ".sock";
  CheckUnderTest check(tcp_plan("address: 'unix:" + path + "'"));
  CHECK(text(check.attempt()) == "connect: cannot connect to unix:" + path + ": no such file or directory");
  FakePeer peer(
      check.loop, [](std::size_t) { return Script{}; }, Endpoint::unix_socket(path));
  CHECK(text(check.attempt()) == "pass");
}

TEST_CASE("TCP check sends, and finds the expected text wherever the pieces break") {
  CHECK(text(ask(", expect: INFO", {send("INFO {}\r\n")})) == "pass");
  CHECK(text(ask(", expect: INFO", {send_bytewise("+OK IIINFO {}\r\n")})) == "pass");
  CHECK(text(ask(", send: \"PING\\r\\n\", expect: PONG", {expect("PING\r\n"), send("+PONG\r\n")})) == "pass");
  CHECK(text(ask(", expect: INFO", {send("INFO"), close()})) == "pass");
}

TEST_CASE("TCP check says what came instead of the expected text") {
  CHECK(text(ask(", expect: INFO", {send("-ERR go away"), half_close()})) ==
        "answer: closed the connection without \"INFO\", but \"-ERR go away\"");
  CHECK(text(ask(", expect: INFO", {half_close()})) == "answer: closed the connection without \"INFO\"");
  CHECK(text(ask(", send: hello, expect: INFO", {expect("hello"), reset()})) ==
        "connect: the connection broke: connection reset by peer");
}

TEST_CASE("TCP check stops reading a peer that talks for ever") {
  const auto result = ask(", expect: INFO", {send(std::string(70'000, 'x'))});
  CHECK_THAT(text(result), Catch::StartsWith("answer: sent 64 KiB without \"INFO\", but \"xxx"));
  CHECK(text(result).size() < 200);
  CHECK(text(ask(", expect: INFO", {send(std::string(60'000, 'x') + "INFO")})) == "pass");
}

TEST_CASE("TCP check waits for the runner's deadline, and says what it waits for") {
  const auto port = closed_port();
  CheckUnderTest check(tcp_plan("address: '127.0.0.1:" + std::to_string(port) + "', expect: INFO"));
  FakePeer peer(
      check.loop, [](std::size_t) { return Script{}; }, Endpoint::tcp("127.0.0.1", port));
  check.start();
  CHECK(std::string(check.check->phase()) == "resolving the name");
  REQUIRE(check.loop.until([&] { return peer.connections() == 1; }));
  check.loop.settle();
  CHECK(std::string(check.check->phase()) == "waiting for the expected text");
  CHECK(check.reports == 0);
  check.remake();
  CHECK(check.loop.until([&] { return peer.client(0).ended; }));
  CHECK(check.reports == 0);
}

TEST_CASE("TCP check names the name that does not resolve") {
  const std::string name = std::string(64, 'a') + ".invalid";  // too long a label: no server is asked
  CheckUnderTest check(tcp_plan("address: '" + name + ":1'"));
  CHECK_THAT(text(check.attempt()), Catch::StartsWith("resolve: cannot resolve " + name + ": "));
}

TEST_CASE("TCP check speaks TLS where the configuration has tls") {
  const auto port = closed_port();
  Authority ca("tcp");
  const std::string address = "address: 'localhost:" + std::to_string(port) + "', expect: hello, tls: ";
  const auto ask_tls = [&](const CertificateWish& wish, const std::string& tls) {
    CheckUnderTest check(tcp_plan(address + tls));
    FakePeer peer(check.loop, [](std::size_t) { return Script{send("hello")}; });
    TlsFront front(*check.loop, ca.issue(wish), peer.endpoint(), TLS1_3_VERSION,
                   Endpoint::tcp("127.0.0.1", port));
    return check.attempt();
  };
  const std::string trusted = "{ca_file: " + ca.file();
  CHECK(text(ask_tls({{"localhost"}}, trusted + "}")) == "pass");
  CHECK(text(ask_tls({{"nats"}}, trusted + ", server_name: nats}")) == "pass");
  CHECK(text(ask_tls({{"nats"}}, "{verify: false}")) == "pass");
  CHECK(text(ask_tls({{"nats"}}, trusted + "}")) ==
        "tls: hostname mismatch: the peer's certificate is not for localhost");
  CHECK(text(ask_tls({{"localhost"}, -9, -1}, trusted + "}")) == "tls: certificate has expired");
  CHECK(text(ask_tls({{"localhost"}}, "{}")) == "tls: unable to get local issuer certificate");

  const auto ending = ask_tls({{"localhost"}, -9, 5}, trusted + ", min_days_left: 14}");
  CHECK(ending.verdict == Verdict::warn);
  CHECK_THAT(text(ending), Catch::Matches("tls: the certificate expires in [45] days, limit 14"));
  CHECK(text(ask_tls({{"localhost"}, -9, 20}, trusted + ", min_days_left: 14}")) == "pass");
}

TEST_CASE("TCP check keeps our own lack of descriptors apart from the peer's failures") {
  CheckUnderTest check(tcp_plan("address: '127.0.0.1:1'"));
  check.start();
  REQUIRE(check.finishes_without_descriptors());
  CHECK(check.result->verdict == Verdict::inconclusive);
  CHECK_THAT(text(*check.result), Catch::Contains("too many open files"));
}

TEST_CASE("TCP check's configuration mistakes are reported where they are") {
  CHECK_THAT(problems_of("timeout: 1s"),
             Catch::Contains("address: is missing, expected host:port or unix:/path"));
  CHECK_THAT(problems_of("address: nats"), Catch::Contains("address: "));
  CHECK_THAT(problems_of("address: 'nats:0'"),
             Catch::Contains("address: the port must be a number from 1 to 65535"));
  CHECK_THAT(problems_of("address: 'nats:1', sned: x"), Catch::Contains("sned"));
  CHECK(read_check(checks::read_tcp, "tcp", "address: 'nats:4222'").plan.target == "nats:4222");
}

}  // namespace probegate::test
