#include <catch2/catch.hpp>

#include "tests/component/checks/check_fixture.h"
#include "tests/component/checks/private_server.h"
#include "tests/support/test_tls.h"

namespace probegate::test {
namespace {

CheckPlan redis_plan(const std::string& own_keys) { return plan_of(checks::read_redis, "redis", own_keys); }

// One attempt against a peer that plays a script, and is asked PING and GET.
CheckResult ask_peer(Script script) {
  const auto port = closed_port();
  CheckUnderTest check(
      redis_plan("mode: single, write: false, url: 'redis://127.0.0.1:" + std::to_string(port) + "'"));
  FakePeer peer(
      check.loop, [&](std::size_t) { return script; }, Endpoint::tcp("127.0.0.1", port));
  return check.attempt();
}

// A real server takes a moment to listen.
CheckResult first_answer(CheckUnderTest& check) {
  CheckResult result;
  for (int i = 0; i < 500; ++i) {
    result = check.attempt();
    if (!result.error || result.error->kind != FailKind::connect) break;
    check.loop.run_for(10ms);
  }
  return result;
}

std::string url_of(const PrivateRedis& redis, const std::string& user_info = "",
                   const std::string& path = "") {
  return "url: 'redis://" + user_info + "127.0.0.1:" + std::to_string(redis.port()) + path + "'";
}

}  // namespace

TEST_CASE("Redis check passes PING, SET and GET on a real server, over TCP, a name and a unix socket") {
  PrivateRedis redis;
  CheckUnderTest tcp(redis_plan(url_of(redis, "", "/3")));
  CHECK(text(first_answer(tcp)) == "pass");
  CHECK(text(tcp.attempt()) == "pass");
  CheckUnderTest name(redis_plan("url: 'redis://localhost:" + std::to_string(redis.port()) + "'"));
  CHECK(text(name.attempt()) == "pass");
  CheckUnderTest unix_socket(redis_plan("url: 'unix:" + redis.socket() + "'"));
  CHECK(text(unix_socket.attempt()) == "pass");
}

TEST_CASE("Redis check uses the database that is named beside the path of a socket") {
  PrivateRedis redis({"--databases", "4"});
  CheckUnderTest in_url(redis_plan("url: 'unix://" + redis.socket() + "?db=3'"));
  CHECK(text(first_answer(in_url)) == "pass");
  CheckUnderTest as_key(redis_plan("url: 'unix:" + redis.socket() + "', database: 3"));
  CHECK(text(as_key.attempt()) == "pass");
  CheckUnderTest beyond(redis_plan("url: 'unix:" + redis.socket() + "', database: 9"));
  CHECK(text(beyond.attempt()) == "config: SELECT: ERR DB index is out of range");
}

TEST_CASE("Redis check logs in as a user without a password") {
  PrivateRedis redis;
  CheckUnderTest check(redis_plan(url_of(redis, "default:@")));
  CHECK(text(first_answer(check)) == "pass");
}

TEST_CASE("Redis check does without HELLO where the server does not know it") {
  const auto port = closed_port();
  const auto ask = [&](const std::string& mode, const std::string& more) {
    CheckUnderTest check(
        redis_plan("url: 'redis://:t0p@127.0.0.1:" + std::to_string(port) + "', write: false" + more));
    FakePeer peer(
        check.loop,
        [&](std::size_t) {
          return Script{expect("HELLO\r\n"),  send("+OK\r\n-ERR unknown command 'HELLO'\r\n"),
                        expect("server\r\n"), send(mode),
                        expect("PING\r\n"),   send("+PONG\r\n$-1\r\n")};
        },
        Endpoint::tcp("127.0.0.1", port));
    return text(check.attempt());
  };
  CHECK(ask("$22\r\nredis_mode:standalone\n\r\n", "") == "pass");
  CHECK(ask("-NOPERM this user has no permissions to run the 'info' command\r\n", "") == "pass");
  CHECK(ask("$20\r\nredis_mode:sentinel\n\r\n", "").find("config: this is a Redis Sentinel") == 0);
}

TEST_CASE("Redis check says auth when a login is refused by a peer that then hangs up") {
  const auto port = closed_port();
  CheckUnderTest check(redis_plan("url: 'redis://:t0p@127.0.0.1:" + std::to_string(port) + "'"));
  FakePeer peer(
      check.loop,
      [&](std::size_t) {
        return Script{expect("HELLO\r\n"), send("-WRONGPASS invalid username-password pair\r\n"), close()};
      },
      Endpoint::tcp("127.0.0.1", port));
  CHECK(text(check.attempt()) == "auth: AUTH: WRONGPASS invalid username-password pair");
}

TEST_CASE("Redis check follows nodes that send the key round and round for a while only") {
  const auto port = closed_port();
  CheckUnderTest check(redis_plan("url: 'redis://127.0.0.1:" + std::to_string(port) + "', write: false"));
  const std::string moved = "-MOVED 7 127.0.0.1:" + std::to_string(port) + "\r\n";
  FakePeer peer(
      check.loop,
      [&](std::size_t client) {
        return client == 0 ? Script{expect("HELLO\r\n"), send("*2\r\n+mode\r\n+standalone\r\n"),
                                    expect("PING\r\n"), send("+PONG\r\n" + moved)}
                           : Script{expect("GET\r\n"), send(moved)};
      },
      Endpoint::tcp("127.0.0.1", port));
  const auto result = check.attempt();
  REQUIRE(result.error);
  CHECK(result.error->kind == FailKind::answer);
  CHECK(result.error->message.find("redirect the key to each other") != std::string::npos);
  CHECK(peer.connections() == 5);
}

TEST_CASE("Redis check outlives a restart of the server between two attempts") {
  PrivateRedis redis;
  CheckUnderTest check(redis_plan(url_of(redis)));
  CHECK(text(first_answer(check)) == "pass");
  redis.stop();
  const auto refused = check.attempt();
  CHECK(refused.error->kind == FailKind::connect);
  redis.start();
  CHECK(text(first_answer(check)) == "pass");
}

TEST_CASE("Redis check logs in, and says auth when it may not") {
  PrivateRedis redis({"--requirepass", "t0p-secret"});
  CheckUnderTest right(redis_plan(url_of(redis, ":t0p-secret@")));
  CHECK(text(first_answer(right)) == "pass");
  CheckUnderTest named(redis_plan(url_of(redis) + ", user: default, password: t0p-secret"));
  CHECK(text(named.attempt()) == "pass");
  CheckUnderTest wrong(redis_plan(url_of(redis, "default:wr0ng%21@")));
  const auto refused = wrong.attempt();
  CHECK(refused.error->kind == FailKind::auth);
  CHECK(refused.error->message.find("WRONGPASS") != std::string::npos);
  CheckUnderTest none(redis_plan(url_of(redis)));
  CHECK(none.attempt().error->kind == FailKind::auth);
}

TEST_CASE("Redis check says config when the database does not exist") {
  PrivateRedis redis;
  CheckUnderTest check(redis_plan(url_of(redis, "", "/99")));
  CHECK(text(first_answer(check)) == "config: SELECT: ERR DB index is out of range");
}

TEST_CASE("Redis check fails on a replica unless it only pings") {
  PrivateRedis redis({"--replicaof", "127.0.0.1 " + std::to_string(closed_port())});
  CheckUnderTest writes(redis_plan(url_of(redis)));
  const auto refused = first_answer(writes);
  CHECK(refused.error->kind == FailKind::answer);
  CHECK(refused.error->message.find("SET: READONLY") == 0);
  CheckUnderTest pings(redis_plan(url_of(redis) + ", write: false"));
  CHECK(text(pings.attempt()) == "pass");
}

TEST_CASE("Redis check names the kind of every refusal") {
  const std::pair<std::string, FailKind> cases[] = {
      {"NOAUTH Authentication required.", FailKind::auth},
      {"NOPERM this user has no permissions to run the 'ping' command", FailKind::auth},
      {"DENIED Redis is running in protected mode", FailKind::auth},
      {"LOADING Redis is loading the dataset in memory", FailKind::answer},
      {"MASTERDOWN Link with MASTER is down", FailKind::answer},
      {"BUSY Redis is busy running a script", FailKind::answer},
      {"MISCONF Redis is configured to save RDB snapshots", FailKind::answer},
      {"OOM command not allowed when used memory > 'maxmemory'", FailKind::answer},
      {"MOVED 866 10.0.0.2:6379", FailKind::answer},
      {"ERR max number of clients reached", FailKind::connect},
  };
  for (const auto& [reply, kind] : cases) {
    const auto result = ask_peer({expect("PING\r\n"), send("-" + reply + "\r\n")});
    INFO(reply);
    REQUIRE(result.error);
    CHECK(result.error->kind == kind);
    CHECK(result.error->message.find(reply) != std::string::npos);
  }
}

TEST_CASE("Redis check says protocol when the peer is no Redis") {
  for (const std::string& reply :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("*100000000\r\n"),
        std::string("\x15\x03\x01\x00\x02\x02\x46", 7), std::string("$-7\r\n\r\n")}) {
    const auto result = ask_peer({expect("PING\r\n"), send(reply)});
    INFO(reply);
    REQUIRE(result.error);
    CHECK(result.error->kind == FailKind::protocol);
  }
}

TEST_CASE("Redis check reads an answer that comes byte by byte") {
  CHECK(text(ask_peer({expect("PING\r\n"), send_bytewise("+PONG\r\n$-1\r\n")})) == "pass");
}

TEST_CASE("Redis check does not take the wrong answer for a pass") {
  CHECK(text(ask_peer({expect("PING\r\n"), send("+PANG\r\n")})) ==
        "answer: PING gave \"PANG\", expected \"PONG\"");
  CHECK(text(ask_peer({expect("PING\r\n"), send("$-1\r\n")})) ==
        "answer: PING gave nothing, expected \"PONG\"");
}

TEST_CASE("Redis check bounds what it reads") {
  CHECK(text(ask_peer({expect("PING\r\n"), send("$9999999999\r\n" + std::string(70 * 1024, 'x'))})) ==
        "protocol: the answer is longer than 64 KiB");
}

TEST_CASE("Redis check says connect when the peer hangs up") {
  CHECK(text(ask_peer({expect("PING\r\n"), close()})) ==
        "connect: the server closed the connection before it answered; if the port requires TLS, write "
        "rediss://");
  CHECK(ask_peer({expect("PING\r\n"), reset()}).error->kind == FailKind::connect);
}

TEST_CASE("Redis check keeps its connection, and replaces a dead one once within the attempt") {
  const auto port = closed_port();
  CheckUnderTest check(
      redis_plan("mode: single, write: false, url: 'redis://127.0.0.1:" + std::to_string(port) + "'"));
  const Script once = {expect("PING\r\n"), send("+PONG\r\n$-1\r\n")};
  const Script twice_then_gone = {expect("PING\r\n"),       send("+PONG\r\n$-1\r\n"), expect("PING\r\n"),
                                  send("+PONG\r\n$-1\r\n"), expect("PING\r\n"),       close()};
  const Script gone = {expect("PING\r\n"), close()};
  FakePeer peer(
      check.loop,
      [&](std::size_t client) { return client == 0   ? twice_then_gone
                                       : client == 1 ? once
                                                     : gone; },
      Endpoint::tcp("127.0.0.1", port));
  CHECK(text(check.attempt()) == "pass");
  CHECK(text(check.attempt()) == "pass");
  CHECK(peer.connections() == 1);
  CHECK(text(check.attempt()) == "pass");
  CHECK(peer.connections() == 2);
  peer.reset_all();
  check.loop.settle();
  CHECK(check.attempt().error->kind == FailKind::connect);
  CHECK(peer.connections() == 3);
  CHECK(check.reports == 4);
}

TEST_CASE("Redis check speaks TLS for rediss, and warns of a certificate that ends soon") {
  const auto port = closed_port();
  Authority ca("redis");
  const auto ask = [&](const std::string& tls) {
    CheckUnderTest check(redis_plan(
        "mode: single, write: false, url: 'rediss://localhost:" + std::to_string(port) + "', tls: " + tls));
    FakePeer peer(check.loop, {expect("PING\r\n"), send("+PONG\r\n$-1\r\n"), expect("PING\r\n"),
                               send("+PONG\r\n$-1\r\n")});
    TlsFront front(*check.loop, ca.issue({{"localhost"}, -2, 5}), peer.endpoint(), TLS1_3_VERSION,
                   Endpoint::tcp("127.0.0.1", port));
    const auto first = check.attempt();
    if (first.verdict == Verdict::pass) {
      CHECK(text(check.attempt()) == "pass");
      CHECK(front.connections() == 1);
    }
    return first;
  };
  CHECK(text(ask("{ca_file: " + ca.file() + "}")) == "pass");
  CHECK(ask("{ca_file: " + ca.file() + ", min_days_left: 14}").verdict == Verdict::warn);
  CHECK(ask("{ca_file: " + ca.file() + ", server_name: other}").error->kind == FailKind::tls);
  CHECK(ask("{}").error->kind == FailKind::tls);
}

TEST_CASE("Redis check tells what is wrong with its configuration and never the password") {
  check_mistakes(checks::read_redis, "redis",
                 {
                     {"write: true", "url: is missing"},
                     {"url: 'http://localhost'", "must start with redis://"},
                     {"url: 'redis://u:t0p-secret@host:99999'", "port must be a number"},
                     {"url: 'redis://u:t0p-secret@host/first'", "must be a database number"},
                     {"url: 'redis://u:t0p%zzsecret@host'", "written %25"},
                     {"url: 'unix:relative'", "unix:/absolute/path"},
                     {"url: 'redis://host', user: app", "needs a password"},
                     {"url: 'redis://t0p-secret@host'", "redis://:password@host"},
                     {"url: 'redis://h1,h2:6380'", "redis+sentinel://H1,H2/NAME"},
                     {"url: 'redis+sentinel://h1,h2'", "names no master"},
                     {"url: 'redis+sentinel://h1/m/first'", "must be a database number"},
                     {"url: 'redis+sentinel://h1/m', role: replica, write: false", "name the master only"},
                     {"url: 'redis+sentinel://h1/m', sentinel_user: u", "needs sentinel_password"},
                     {"url: 'redis+cluster://h1/2'", "only database 0"},
                     {"url: 'redis+cluster://h1', mode: single", "means another mode"},
                     {"url: 'redis://h1', sentinel_password: t0p-secret", "is for redis+sentinel://"},
                     {"url: 'unix:/run/redis.sock', mode: sentinel", "must be in url"},
                     {"url: 'unix:///run/redis.sock?db=first'", "must be a database number"},
                 });
}

}  // namespace probegate::test
