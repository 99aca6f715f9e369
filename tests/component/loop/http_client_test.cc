#include "loop/http_client.h"

#include <catch2/catch.hpp>

#include "http_rig.h"
#include "stream_pair.h"

namespace probegate::test {
namespace {

TEST_CASE("HttpClient asks and gives status, headers in order, and body") {
  TestLoop loop;
  FakePeer peer(loop,
                {expect("\r\n\r\n"), send("HTTP/1.1 503 Service Unavailable\r\nX-One: 1\r\nX-Two:  2 \r\n"
                                          "X-One: 3\r\nContent-Length: 4\r\n\r\nbusy")});
  Http http(loop);
  const auto outcome = http.get(peer.url("http", "/health?full=1"));
  REQUIRE(outcome);
  CHECK(outcome->status == 503);
  CHECK(outcome->body == "busy");
  CHECK_FALSE(outcome->truncated);
  CHECK_FALSE(outcome->certificate_left);
  using Headers = std::vector<std::pair<std::string, std::string>>;
  CHECK(outcome->headers == Headers{{"X-One", "1"}, {"X-Two", "2"}, {"X-One", "3"}, {"Content-Length", "4"}});
  const std::string& head = peer.client(0).received;
  CHECK_THAT(head, Catch::StartsWith("GET /health?full=1 HTTP/1.1\r\nHost: " + peer.endpoint().to_string() +
                                     "\r\n"));
  CHECK_THAT(head, Catch::Contains("User-Agent: probegate\r\n"));
  CHECK_THAT(head, !Catch::Contains("Expect:") && !Catch::Contains("Content-Type:"));
}

TEST_CASE("HttpClient sends method, headers and body as asked") {
  TestLoop loop;
  FakePeer peer(loop, {expect("the body"), send(ok("x"))});
  Http http(loop);
  HttpRequest request{.method = "PUT", .url = peer.url("http", "/thing")};
  request.headers = {{"Authorization", "Bearer t0ken"}, {"X-Empty", ""}, {"Host", "other.example"}};
  request.body = "the body";
  REQUIRE(http.ask(request));
  const std::string& got = peer.client(0).received;
  CHECK_THAT(got, Catch::StartsWith("PUT /thing HTTP/1.1\r\nHost: other.example\r\n"));
  CHECK_THAT(got, Catch::Contains("Authorization: Bearer t0ken\r\n") && Catch::Contains("X-Empty:\r\n") &&
                      Catch::Contains("Content-Length: 8\r\n") && Catch::EndsWith("\r\n\r\nthe body"));
  CHECK_THAT(got, !Catch::Contains("Expect:") && !Catch::Contains("urlencoded"));
}

TEST_CASE("HttpClient takes HEAD, 204 and chunked answers for what they are") {
  TestLoop loop;
  Http http(loop);
  SECTION("HEAD has no body whatever its length says") {
    FakePeer peer(loop, {expect("\r\n\r\n"), send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")});
    const auto outcome = http.ask({.method = "HEAD", .url = peer.url("http")});
    REQUIRE(outcome);
    CHECK(outcome->body.empty());
    CHECK_THAT(peer.client(0).received, Catch::StartsWith("HEAD / HTTP/1.1"));
  }
  SECTION("204") {
    FakePeer peer(loop, {expect("\r\n\r\n"), send("HTTP/1.1 204 No Content\r\n\r\n")});
    const auto outcome = http.get(peer.url("http"));
    REQUIRE(outcome);
    CHECK(outcome->status == 204);
  }
  SECTION("chunked, byte by byte, after a 103, with a trailer") {
    FakePeer peer(loop,
                  {expect("\r\n\r\n"), send_bytewise("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
                                                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                                     "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: 1\r\n\r\n")});
    const auto outcome = http.get(peer.url("http"));
    REQUIRE(outcome);
    CHECK(outcome->status == 200);
    CHECK(outcome->body == "abcde");
    CHECK(outcome->headers.front().first == "Transfer-Encoding");
  }
  SECTION("HTTP/1.0, ended by the connection") {
    FakePeer peer(loop, {expect("\r\n\r\n"), send("HTTP/1.0 200 OK\r\n\r\nuntil the end"), close()});
    const auto outcome = http.get(peer.url("http"));
    REQUIRE(outcome);
    CHECK(outcome->body == "until the end");
  }
  SECTION("a redirect is an answer, not an order") {
    FakePeer peer(loop,
                  {expect("\r\n\r\n"),
                   send("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")});
    const auto outcome = http.get(peer.url("http"));
    REQUIRE(outcome);
    CHECK(outcome->status == 302);
  }
}

TEST_CASE("HttpClient speaks over a unix socket") {
  TestLoop loop;
  FakePeer peer(
      loop,
      [](std::size_t) {
        return Script{expect("\r\n\r\n"), send(ok("unix"))};
      },
      any_unix("http"));
  Http http(loop);
  HttpRequest request{.url = "http://backend/health"};
  request.unix_path = peer.endpoint().path;
  const auto outcome = http.ask(request);
  REQUIRE(outcome);
  CHECK(outcome->body == "unix");
  CHECK_THAT(peer.client(0).received, Catch::Contains("Host: backend\r\n"));
}

TEST_CASE("HttpClient resolves names by our resolver and tries all their addresses") {
  TestLoop loop;
  FakePeer peer(loop, {expect("\r\n\r\n"), send(ok("found"))});  // on IPv4 only
  Http http(loop);
  const std::string name = GENERATE("localhost", "LocalHost");
  const auto outcome = http.get("http://" + name + ":" + std::to_string(peer.port()) + "/");
  CAPTURE(name);
  if (!outcome) FAIL(outcome.error().message);
  CHECK(outcome->body == "found");
}

TEST_CASE("HttpClient sends the URL's user and password as Basic") {
  TestLoop loop;
  FakePeer peer(loop, {expect("\r\n\r\n"), send(ok(""))});
  Http http(loop);
  REQUIRE(http.get("http://user:pa%40ss@127.0.0.1:" + std::to_string(peer.port()) + "/"));
  CHECK_THAT(peer.client(0).received,
             Catch::Contains("Authorization: Basic dXNlcjpwYUBzcw==\r\n"));  // user:pa@ss
}

TEST_CASE("HttpClient reuses its connection and opens a new one when the peer closed it") {
  TestLoop loop;
  const bool closes = GENERATE(false, true);
  FakePeer peer(loop, [&](std::size_t) {
    Script script = {expect("\r\n\r\n"), send(ok("1"))};
    if (closes) return Script{expect("\r\n\r\n"), send(ok("1")), close()};
    return Script{expect("\r\n\r\n"), send(ok("1")), expect("\r\n\r\n"), send(ok("2"))};
  });
  Http http(loop);
  REQUIRE(http.get(peer.url("http")));
  loop.settle();
  REQUIRE(http.get(peer.url("http")));
  CHECK(peer.connections() == (closes ? 2u : 1u));
}

TEST_CASE("HttpClient cuts a body at its limit, and says so") {
  TestLoop loop;
  FakePeer peer(loop, [](std::size_t) {
    return Script{expect("\r\n\r\n"), send(ok(std::string(200'000, 'x')))};
  });
  Http http(loop);
  HttpRequest request{.url = peer.url("http")};
  request.max_body = GENERATE(0, 1, 1000, 65'536, 199'999);
  const auto outcome = http.ask(request);
  REQUIRE(outcome);
  CHECK(outcome->status == 200);
  CHECK(outcome->truncated);
  CHECK(outcome->body.size() == request.max_body);
}

TEST_CASE("HttpClient takes a body of exactly the limit whole") {
  TestLoop loop;
  FakePeer peer(loop, {expect("\r\n\r\n"), send(ok("12345"))});
  Http http(loop);
  HttpRequest request{.url = peer.url("http")};
  request.max_body = 5;
  const auto outcome = http.ask(request);
  REQUIRE(outcome);
  CHECK(outcome->body == "12345");
  CHECK_FALSE(outcome->truncated);
}

TEST_CASE("HttpClient ignores a proxy in the environment") {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ::setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  TestLoop loop;
  FakePeer peer(loop, {expect("\r\n\r\n"), send(ok("direct"))});
  Http http(loop);
  const auto outcome = http.get(peer.url("http"));
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
  REQUIRE(outcome);
  CHECK(outcome->body == "direct");
}

}  // namespace
}  // namespace probegate::test
