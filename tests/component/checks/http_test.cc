#include <catch2/catch.hpp>

#include "checks/expectations.h"
#include "tests/component/checks/check_fixture.h"
#include "tests/component/checks/private_server.h"
#include "tests/support/test_tls.h"

namespace probegate::test {
namespace {

CheckPlan http_plan(const std::string& own_keys, const std::string& proxy = "{}") {
  return plan_of(checks::read_http, "http", own_keys, proxy);
}

std::string problems_of(const std::string& own_keys) {
  return problem_lines(checks::read_http, "http", own_keys);
}

std::string answer_of(const std::string& status, const std::string& body = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// One attempt against a peer that plays the script; also gives what the peer received.
struct Asked {
  std::string result;
  std::string request;
};
Asked ask(const std::string& own_keys, Script script, const std::string& path = "/health",
          const std::string& user_info = "") {
  const auto port = closed_port();
  CheckUnderTest check(
      http_plan("url: 'http://" + user_info + "127.0.0.1:" + std::to_string(port) + path + "'" + own_keys));
  FakePeer peer(
      check.loop, [&](std::size_t) { return script; }, Endpoint::tcp("127.0.0.1", port));
  const auto result = check.attempt();
  return {text(result), peer.connections() > 0 ? peer.client(0).received : ""};
}
std::string ask_for(const std::string& own_keys, const std::string& answer) {
  return ask(own_keys, {expect("\r\n\r\n"), send(answer)}).result;
}

}  // namespace

TEST_CASE("HTTP check passes on the status it expects and names the one it got") {
  CHECK(ask_for("", answer_of("200 OK")) == "pass");
  CHECK(ask_for("", answer_of("204 No Content")) == "pass");
  CHECK(ask_for("", answer_of("503 Busy", "no"))
            .find("answer: answered 503, expected 200-299; http://127.0.0.1:") == 0);
  CHECK(
      ask_for("", answer_of("302 Found")).find("answer: answered 302, expected 200-299; http://127.0.0.1:") ==
      0);
  CHECK(ask_for("", answer_of("401 Who")).find("auth: answered 401, expected 200-299; http://127.0.0.1:") ==
        0);
  CHECK(ask_for("", answer_of("403 No")).find("auth: answered 403, expected 200-299; http://127.0.0.1:") ==
        0);
  CHECK(ask_for(", expect_status: [200-299, 404]", answer_of("404 Gone")) == "pass");
  CHECK(ask_for(", expect_status: [401]", answer_of("401 Who")) == "pass");
  CHECK(ask_for(", expect_status: [200, 500-503]", answer_of("404 Gone"))
            .find("answer: answered 404, expected 200 or 500-503; http://127.0.0.1:") == 0);
  CHECK(ask_for("", answer_of("400 Bad", "Invalid HTTP_HOST"))
            .find("/health said \"Invalid HTTP_HOST\"; see headers and expect_status") != std::string::npos);
  CHECK(
      ask_for("",
              "HTTP/1.1 301 There\r\nLocation: http://u:pw@h/health/?key=secret\r\nContent-Length: 0\r\n\r\n")
          .find(", redirects to http://***@h/health/?***; ") != std::string::npos);
}

TEST_CASE("HTTP check sends method, path, headers and body as configured") {
  const auto asked =
      ask(", method: POST, headers: {Authorization: Bearer t0ken-42, X-Probe: '1'}, body: '{}'",
          {expect("\r\n\r\n{}"), send(answer_of("200 OK"))}, "/deep/health?full=1");
  CHECK(asked.result == "pass");
  CHECK_THAT(asked.request, Catch::StartsWith("POST /deep/health?full=1 HTTP/1.1\r\n"));
  CHECK_THAT(asked.request, Catch::Contains("\r\nAuthorization: Bearer t0ken-42\r\n") &&
                                Catch::Contains("\r\nX-Probe: 1\r\n"));
  CHECK_THAT(asked.request, Catch::EndsWith("\r\n\r\n{}"));
}

TEST_CASE("HTTP check makes Basic authentication of the URL's user, and keeps it out of sight") {
  const auto asked = ask("", {expect("\r\n\r\n"), send(answer_of("200 OK"))}, "/", "probe:s3cr%65t@");
  CHECK(asked.result == "pass");
  CHECK_THAT(asked.request, Catch::Contains("Authorization: Basic cHJvYmU6czNjcmV0\r\n"));  // probe:s3cret

  const auto plan =
      http_plan("url: 'https://probe:s3cr%65t@auth.internal/health?key=v', headers: {X-Api-Key: abcdef}");
  CHECK(plan.target == "auth.internal:443/health");
  CHECK(plan.secrets.masked("s3cret s3cr%65t abcdef cHJvYmU6czNjcmV0 at auth.internal") ==
        "*** *** *** *** at auth.internal");
}

TEST_CASE("HTTP check asks the proxy's backend where the URL is a path") {
  SECTION("TCP") {
    const auto port = std::to_string(closed_port());
    CheckUnderTest check(http_plan("url: '/health?x=1'", "{backend: 'http://127.0.0.1:" + port + "'}"));
    FakePeer peer(
        check.loop,
        [](std::size_t) {
          return Script{expect("\r\n\r\n"), send(answer_of("200 OK"))};
        },
        Endpoint::tcp("127.0.0.1", static_cast<std::uint16_t>(std::stoi(port))));
    CHECK(text(check.attempt()) == "pass");
    CHECK_THAT(peer.client(0).received,
               Catch::StartsWith("GET /health?x=1 HTTP/1.1\r\nHost: 127.0.0.1:" + port + "\r\n"));
  }
  SECTION("unix") {
    const std::string path = "/tmp/probegate-http-" + std::to_string(::getpid()) + ".sock";
    CheckUnderTest check(http_plan("url: /health", "{backend: 'unix:" + path + "'}"));
    FakePeer peer(
        check.loop,
        [](std::size_t) {
          return Script{expect("\r\n\r\n"), send(answer_of("200 OK"))};
        },
        Endpoint::unix_socket(path));
    CHECK(text(check.attempt()) == "pass");
    CHECK_THAT(peer.client(0).received, Catch::StartsWith("GET /health HTTP/1.1\r\n"));
  }
}

TEST_CASE("HTTP check keeps its connection between attempts") {
  const auto port = closed_port();
  CheckUnderTest check(http_plan("url: 'http://127.0.0.1:" + std::to_string(port) + "/'"));
  FakePeer peer(
      check.loop,
      [](std::size_t) {
        return Script{expect("\r\n\r\n"), send(answer_of("200 OK")), expect("\r\n\r\n"),
                      send(answer_of("500 No"))};
      },
      Endpoint::tcp("127.0.0.1", port));
  CHECK(text(check.attempt()) == "pass");
  CHECK(text(check.attempt()).find("answer: answered 500, expected 200-299; ") == 0);
  CHECK(peer.connections() == 1);
  CHECK(check.reports == 2);
}

TEST_CASE("HTTP check looks for text in the body") {
  CHECK(ask_for(", expect_body: ready", answer_of("200 OK", "all ready here")) == "pass");
  CHECK(ask_for(", expect_body: ready", answer_of("200 OK", "not yet")) ==
        "answer: the body does not contain \"ready\"");
  CHECK(ask_for(", expect_body: ready", answer_of("200 OK", std::string(70'000, 'x') + "ready")) ==
        "answer: the body does not contain \"ready\" in its first 64 KiB");
  CHECK(ask_for(", expect_body: xx", answer_of("200 OK", std::string(70'000, 'x'))) == "pass");
}

TEST_CASE("HTTP check judges a JSON body") {
  const std::string body = R"({"status":"ok","linkage_pct":87.5,"up":null,"items":[{"n":3}]})";
  const auto judged = [&](const std::string& conditions) {
    return ask_for(", expect_json: " + conditions, answer_of("200 OK", body));
  };
  CHECK(judged(R"({"/linkage_pct": "> 0", "/status": "== ok", "/up": exists, "/items/0/n": "== 3"})") ==
        "pass");
  CHECK(judged(R"({"/linkage_pct": "> 90"})") == "answer: /linkage_pct is 87.5, expected > 90");
  CHECK(judged(R"({"/status": "== down"})") == "answer: /status is \"ok\", expected == down");
  CHECK(judged(R"({"/gone": exists})") == "answer: /gone is missing, expected exists");
  CHECK(ask_for(", expect_json: {/a: exists}", answer_of("200 OK", "<html>")) ==
        "answer: the body is not JSON");
  CHECK(
      ask_for(", expect_json: {/a: exists}", answer_of("200 OK", "[\"" + std::string(70'000, 'x') + "\"]")) ==
      "answer: the body is larger than 64 KiB, too large to be read as JSON");
  CHECK(ask_for(", expect_json: {/a: exists}", answer_of("200 OK", std::string(60'000, '['))) ==
        "answer: the body is not JSON");
}

TEST_CASE("JSON conditions compare numbers as numbers, and nothing passes when it is missing") {
  struct Case {
    std::string document, pointer, condition;
    bool holds;
  };
  const Case cases[] = {
      {R"({"a":10})", "/a", "> 9", true},
      {R"({"a":10})", "/a", ">= 10.0", true},
      {R"({"a":10})", "/a", "== 10.0", true},
      {R"({"a":10})", "/a", "== 1e1", true},
      {R"({"a":10})", "/a", "!= 10", false},
      {R"({"a":10})", "/a", "<10", false},
      {R"({"a":10})", "/a", "<= 9.99", false},
      {R"({"a":10})", "/a", "<= 10", true},
      {R"({"a":10})", "/a", "> 10", false},
      {R"({"a":-1})", "/a", "< 0", true},
      {R"({"a":9007199254740993})", "/a", "== 9007199254740993", true},
      {R"({"a":9007199254740993})", "/a", "== 9007199254740992", false},
      {R"({"a":18446744073709551615})", "/a", "> -1", true},
      {R"({"a":"10"})", "/a", "== 10", true},
      {R"({"a":"10"})", "/a", "> 9", false},
      {R"({"a":10})", "/a", "== \"10\"", false},
      {R"({"a":"10"})", "/a", "== \"10\"", true},
      {R"({"a":"ok"})", "/a", "==ok", true},
      {R"({"a":"two words"})", "/a", "==  two words ", true},
      {R"({"a":"ok"})", "/a", "!= down", true},
      {R"({"a":"OK"})", "/a", "== ok", false},
      {R"({"a":true})", "/a", "== true", true},
      {R"({"a":true})", "/a", "!= false", true},
      {R"({"a":"true"})", "/a", "== true", true},
      {R"({"a":null})", "/a", "exists", true},
      {R"({"a":null})", "/a", "== null", true},
      {R"({"a":[]})", "/a", "== []", true},
      {R"({"a":{}})", "/a", "> 1", false},
      {R"({"a":1})", "/b", "!= 2", false},
      {R"({"a":1})", "/b", "exists", false},
      {R"({"a":1})", "/a/b", "exists", false},
      {R"([1,2])", "/1", "== 2", true},
      {R"([1,2])", "/2", "exists", false},
      {R"([1,2])", "/01", "exists", false},
      {R"([1,2])", "/-", "exists", false},
      {R"([1,2])", "/99999999999999999999999", "exists", false},
      {R"({"a/b":{"c~d":1}})", "/a~1b/c~0d", "== 1", true},
      {R"({"a":["x",5]})", "/a", "contains x", true},
      {R"({"a":["x",5]})", "/a", "contains 5", true},
      {R"({"a":["xy",5]})", "/a", "contains x", false},
      {R"({"a":"all is well"})", "/a", "contains is we", true},
      {R"({"a":"all is well"})", "/a", "contains \"all \"", true},
      {R"({"a":5})", "/a", "contains 5", false},
      {R"(7)", "", "== 7", true},
  };
  for (const auto& c : cases) {
    CAPTURE(c.document, c.pointer, c.condition);
    const auto condition = checks::JsonCondition::parse(c.pointer, c.condition);
    REQUIRE(condition);
    CHECK(condition->complaint(nlohmann::json::parse(c.document)).has_value() != c.holds);
  }
}

TEST_CASE("JSON conditions complain in words, without flooding them") {
  const auto complaint = [](const std::string& document, const std::string& pointer) {
    return *checks::JsonCondition::parse(pointer, "== 1")->complaint(nlohmann::json::parse(document));
  };
  CHECK(complaint(R"({"a":{"b":2}})", "/a") == "/a is an object, expected == 1");
  CHECK(complaint(R"({"a":[2]})", "/a") == "/a is an array, expected == 1");
  CHECK(complaint("2", "") == "the document is 2, expected == 1");
  CHECK(complaint("{\"a\":\"" + std::string(5000, 'x') + "\"}", "/a").size() < 200);
}

TEST_CASE("HTTP check judges headers, by their name in any case and joined where they repeat") {
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nX-Build: 42\r\nVia: a\r\nvia: "
      "b\r\n"
      "X-Empty:\r\nContent-Length: 2\r\n\r\n{}";
  const auto ask_with = [&](const std::string& conditions) {
    return ask_for(", expect_header: {" + conditions + "}", answer);
  };
  CHECK(ask_with("content-type: contains json, X-BUILD: '== 42', via: '== a, b', x-empty: exists") == "pass");
  CHECK(ask_with("x-build: '> 41', content-length: '<= 2', x-Build: '!= 43'") == "pass");
  CHECK(ask_with("content-type: contains html") ==
        "answer: the header content-type is \"application/json; charset=utf-8\", expected contains html");
  CHECK(ask_with("x-build: '> 42'") == "answer: the header x-build is \"42\", expected > 42");
  CHECK(ask_with("via: '> 1'") == "answer: the header via is \"a, b\", expected > 1");
  CHECK(ask_with("x-none: '!= 1'") == "answer: the header x-none is missing, expected != 1");
}

TEST_CASE("HTTP check talks over a unix socket where one is named, and takes a redirect for an answer") {
  TempDir directory;
  const std::string socket = directory / "http.sock";
  CheckUnderTest check(
      http_plan("url: 'http://auth.internal/health', expect_status: [302], socket: " + socket));
  FakePeer peer(
      check.loop,
      [](std::size_t) {
        return Script{
            expect("\r\n\r\n"),
            send("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")};
      },
      Endpoint::unix_socket(socket));
  CHECK(text(check.attempt()) == "pass");
  CHECK(peer.client(0).received.find("Host: auth.internal\r\n") != std::string::npos);
}

TEST_CASE("HTTP check says in which phase it failed") {
  CHECK(ask("", {expect("\r\n\r\n"), close()}).result ==
        "protocol: the peer closed the connection without an answer");
  CHECK(ask("", {expect("\r\n\r\n"), send("hello\r\n"), close()}).result ==
        "protocol: the peer does not speak HTTP: its answer has no status line");
  CHECK_THAT(ask("", {expect("\r\n\r\n"), reset()}).result, Catch::StartsWith("connect: "));
  const auto port = std::to_string(closed_port());
  CheckUnderTest refused(http_plan("url: 'http://127.0.0.1:" + port + "/'"));
  CHECK(text(refused.attempt()) == "connect: cannot connect to 127.0.0.1:" + port + ": connection refused");
  const std::string name = std::string(64, 'a') + ".invalid";  // too long a label: no server is asked
  CheckUnderTest unknown(http_plan("url: 'http://" + name + "/'"));
  CHECK_THAT(text(unknown.attempt()), Catch::StartsWith("resolve: cannot resolve " + name + ": "));
}

TEST_CASE("HTTP check leaves its deadline to the runner, and says what it is busy with") {
  const auto port = closed_port();
  CheckUnderTest check(http_plan("url: 'http://127.0.0.1:" + std::to_string(port) + "/'"));
  FakePeer peer(
      check.loop, [](std::size_t) { return Script{expect("\r\n\r\n")}; }, Endpoint::tcp("127.0.0.1", port));
  check.start(50ms);
  REQUIRE(check.loop.until([&] { return peer.connections() == 1 && peer.client(0).played; }));
  CHECK(std::string(check.check->phase()) == "waiting for the answer");
  check.loop.run_for(100ms);
  CHECK(check.reports == 0);
  check.remake();
  CHECK(check.loop.until([&] { return peer.client(0).ended; }));
  CHECK(check.reports == 0);
}

TEST_CASE("HTTP check verifies https as tls says, and warns of an end that is near") {
  const auto port = closed_port();
  Authority ca("http");
  const auto ask_tls = [&](const CertificateWish& wish, const std::string& tls) {
    CheckUnderTest check(http_plan("url: 'https://localhost:" + std::to_string(port) + "/', tls: " + tls));
    FakePeer peer(check.loop, [](std::size_t) {
      return Script{expect("\r\n\r\n"), send(answer_of("200 OK"))};
    });
    TlsFront front(*check.loop, ca.issue(wish), peer.endpoint(), TLS1_3_VERSION,
                   Endpoint::tcp("127.0.0.1", port));
    return check.attempt();
  };
  const std::string trusted = "{ca_file: " + ca.file();
  CHECK(text(ask_tls({{"localhost"}}, trusted + "}")) == "pass");
  CHECK(text(ask_tls({{"auth"}}, trusted + ", server_name: auth}")) == "pass");
  CHECK(text(ask_tls({{"auth"}}, "{verify: false}")) == "pass");
  CHECK_THAT(text(ask_tls({{"auth"}}, trusted + "}")), Catch::StartsWith("tls: "));
  CHECK_THAT(text(ask_tls({{"localhost"}, -9, -1}, trusted + "}")),
             Catch::StartsWith("tls: ") && Catch::Contains("certificate has expired"));
  const auto ending = ask_tls({{"localhost"}, -9, 5}, trusted + ", min_days_left: 14}");
  CHECK(ending.verdict == Verdict::warn);
  CHECK_THAT(text(ending), Catch::Matches("tls: the certificate expires in [45] days, limit 14"));
}

TEST_CASE("HTTP check keeps our own lack of descriptors apart from the peer's failures") {
  CheckUnderTest check(http_plan("url: 'http://127.0.0.1:1/'"));
  check.attempt();  // curl is at work, with what it needs for itself
  check.start();
  REQUIRE(check.finishes_without_descriptors());
  CHECK(check.result->verdict == Verdict::inconclusive);
  CHECK(text(*check.result) == "internal: cannot open a socket: too many open files");
}

TEST_CASE("HTTP check's configuration mistakes are reported where they are") {
  CHECK_THAT(problems_of("timeout: 1s"), Catch::Contains("url: is missing, expected http://host/path"));
  CHECK_THAT(problems_of("url: 'ftp://a/'"), Catch::Contains("url: must start with http://, https:// or /"));
  CHECK_THAT(problems_of("url: 'http://'"), Catch::Contains("url: is not a valid URL: the host is missing"));
  CHECK_THAT(problems_of("url: '/a b'"), Catch::Contains("url: the path must not contain whitespace"));
  CHECK_THAT(
      problems_of("url: 'http://a/', expect_status: [200-299, 99]"),
      Catch::Contains(":3:63: checks.it.expect_status: is neither a status from 100 to 599 nor a range"));
  CHECK_THAT(problems_of("url: 'http://a/', expect_status: [299-200]"),
             Catch::Contains(":3:54: checks.it.expect_status: is neither"));
  CHECK_THAT(problems_of("url: 'http://a/', expect_status: []"), Catch::Contains("expect_status"));
  CHECK_THAT(problems_of("url: 'http://a/', method: 'GET /'"),
             Catch::Contains("method: is not a request method"));
  CHECK_THAT(problems_of("url: 'http://a/', method: HEAD, expect_body: x"),
             Catch::Contains("HEAD has no body"));
  CHECK_THAT(problems_of("url: 'http://a/', expect_json: {status: exists}"),
             Catch::Contains(":3:60: checks.it.expect_json.status: \"status\" is not a JSON pointer"));
  CHECK_THAT(problems_of("url: 'http://a/', expect_json: {/a~2b: exists}"),
             Catch::Contains("(~0 is ~, ~1 is /)"));
  CHECK_THAT(problems_of("url: 'http://a/', expect_header: {server: x, etag: exists, age: '< old'}"),
             Catch::Contains(":3:62: checks.it.expect_header.server: a condition must begin with") &&
                 Catch::Contains(":3:84: checks.it.expect_header.age: < compares numbers only"));
  CHECK_THAT(problems_of("url: 'http://a/', expect_header: {'a b': exists}"),
             Catch::Contains("is not a valid header name"));
  CHECK_THAT(problems_of("url: 'http://a/', socket: here"), Catch::Contains("socket: "));
  CHECK_THAT(problems_of("url: 'http://a/', expect_json: {/status: ok}"),
             Catch::Contains("a condition must begin with == != < <= > >= or contains, or be exists"));
  CHECK_THAT(problems_of("url: 'http://a/', expect_json: {/n: '> many'}"),
             Catch::Contains("> compares numbers only"));
  CHECK_THAT(problems_of("url: 'http://a/', expect_json: {/n: '=='}"),
             Catch::Contains("nothing to compare with"));
  CHECK_THAT(problems_of("url: 'http://a/', expect_bdy: x"), Catch::Contains("expect_bdy"));
}

}  // namespace probegate::test
