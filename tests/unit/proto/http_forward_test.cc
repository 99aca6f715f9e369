#include "proto/http_forward.h"

#include <catch2/catch.hpp>
#include <string>

#include "proto/http_parser.h"

using namespace probegate::proto;

namespace {

struct Forwarding {
  ClientView client{"192.0.2.7", false, "http", "made-id"};
  Hop hop;
  std::vector<std::string> drop;
  std::string add;

  std::string operator()(const std::string& bytes) const {
    HttpParser parser(HttpParser::Role::request, {});
    std::span<const char> input(bytes);
    REQUIRE(parser.feed(input) == HttpParser::Event::head);
    std::string out;
    write_request_head(parser.request(), client, hop, "backend:8000", drop, add, out);
    return out;
  }
};

std::string answer(const std::string& bytes, ConnectionField connection = ConnectionField::none,
                   int client_minor = 1, bool trailers = true, std::string_view method = "GET") {
  HttpParser parser(HttpParser::Role::response, {}, {.to_head = method == "HEAD"});
  std::span<const char> input(bytes);
  REQUIRE(parser.feed(input) == HttpParser::Event::head);
  std::string out;
  write_response_head(parser.response(), {client_minor, connection, trailers, "probegate"}, out);
  return out;
}

std::string get(const std::string& fields) { return "GET /p HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }

// What follows the client's own fields when nothing special happens.
const std::string kAdded =
    "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\nX-Request-Id: "
    "made-id\r\n"
    "Via: 1.1 probegate\r\n";
std::string forwarded(const std::string& fields) {
  return "GET /p HTTP/1.1\r\nHost: a\r\n" + fields + kAdded + "\r\n";
}

}  // namespace

TEST_CASE("A request goes on with its own fields in order and the proxy's behind them") {
  CHECK(
      Forwarding{}(get(
          "User-AGENT: x\r\nCookie: a=b\r\ntraceparent:00-1\r\nAuthorization: Basic x\r\nAccept: */*\r\n")) ==
      forwarded(
          "User-AGENT: x\r\nCookie: a=b\r\ntraceparent: 00-1\r\nAuthorization: Basic x\r\nAccept: */*\r\n"));
}

TEST_CASE("Fields for one hop do not go on") {
  CHECK(Forwarding{}(
            get("Connection: keep-alive, X-One\r\nConnection: x-two\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\n"
                "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\n"
                "Proxy-Authenticate: x\r\nUpgrade: h2c\r\nTE: gzip\r\nTrailer: X\r\n")) ==
        forwarded("X-Three: 3\r\n"));
  CHECK(Forwarding{}(get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n")) ==
        forwarded(""));
}

TEST_CASE("TE goes on as trailers alone, and Connection names it") {
  CHECK(Forwarding{}(get("TE: trailers, deflate;q=0.5\r\nConnection: TE\r\n")) ==
        "GET /p HTTP/1.1\r\nHost: a\r\n" + kAdded + "TE: trailers\r\nConnection: TE\r\n\r\n");
}

TEST_CASE("An upgrade is put back as exactly one, with the handshake verbatim and in order") {
  CHECK(Forwarding{}(
            get("Upgrade: h2c, WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Origin: http://o\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nTE: trailers\r\n"
                "Sec-WebSocket-Protocol: b, a\r\nSec-WebSocket-Extensions: x; y=\"1,2\"\r\n")) ==
        "GET /p HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Version: 13\r\nOrigin: http://o\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: b, a\r\n"
        "Sec-WebSocket-Extensions: x; y=\"1,2\"\r\n" +
            kAdded + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

TEST_CASE("Framing is written again from what was read") {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\n";
  CHECK(Forwarding{}(start + "Content-Length: 007\r\nExpect: 100-continue\r\n\r\n") ==
        start + "Expect: 100-continue\r\n" + kAdded + "Content-Length: 7\r\n\r\n");
  CHECK(Forwarding{}(start + "Content-Length: 0\r\n\r\n") == start + kAdded + "Content-Length: 0\r\n\r\n");
  CHECK(Forwarding{}(start + "\r\n") == start + kAdded + "\r\n");
  CHECK(Forwarding{}(start + "Transfer-Encoding: Chunked\r\nTrailer: X-Sum\r\n\r\n") ==
        start + "Trailer: X-Sum\r\n" + kAdded + "Transfer-Encoding: chunked\r\n\r\n");
}

TEST_CASE("Host is the target's, the client's, or the backend's") {
  CHECK(Forwarding{}("GET http://b:81?q HTTP/1.1\r\nHost: a\r\n\r\n")
            .starts_with("GET /?q HTTP/1.1\r\nHost: b:81\r\n"));
  const auto old = Forwarding{}("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
  CHECK(old ==
        "GET / HTTP/1.1\r\nHost: backend:8000\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
        "X-Request-Id: made-id\r\nVia: 1.0 probegate\r\n\r\n");
}

TEST_CASE("The hop is named in Via, or in a field of its own") {
  Forwarding hidden;
  hidden.hop = {"probegate-0a1b2c3d", false};
  const std::string head = hidden(get("Via: 1.1 edge\r\nProbegate-Hop: probegate-ffffffff\r\n"));
  CHECK(head.find("Via: 1.1 edge\r\nProbegate-Hop: probegate-ffffffff\r\n") != std::string::npos);
  CHECK(head.find("Probegate-Hop: probegate-0a1b2c3d\r\n") != std::string::npos);
  CHECK(head.find("Via: 1.1 probegate") == std::string::npos);
  Forwarding shown;
  shown.hop = {"probegate-0a1b2c3d", true};
  CHECK(shown(get("")).find("Via: 1.1 probegate-0a1b2c3d\r\n") != std::string::npos);
  CHECK(shown(get("")).find("Probegate-Hop") == std::string::npos);
}

TEST_CASE("A final answer without a date gets one, and one that has it keeps its own") {
  const auto dated = [](const std::string& bytes) {
    HttpParser parser(HttpParser::Role::response, {});
    std::span<const char> input(bytes);
    REQUIRE(parser.feed(input) == HttpParser::Event::head);
    std::string out;
    write_response_head(parser.response(), {.date = "now"}, out);
    return out;
  };
  CHECK(dated("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 0\r\n\r\n");
  CHECK(dated("HTTP/1.1 200 OK\r\ndate: then\r\nContent-Length: 0\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\ndate: then\r\nContent-Length: 0\r\n\r\n");
  CHECK(dated("HTTP/1.1 200 OK\r\nConnection: Date\r\nDate: then\r\nContent-Length: 0\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 0\r\n\r\n");
  CHECK(dated("HTTP/1.1 304 Not Modified\r\n\r\n") == "HTTP/1.1 304 Not Modified\r\nDate: now\r\n\r\n");
  CHECK(dated("HTTP/1.1 103 Early Hints\r\n\r\n") == "HTTP/1.1 103 Early Hints\r\n\r\n");
  CHECK(dated("HTTP/1.1 101 Switching Protocols\r\n\r\n") == "HTTP/1.1 101 Switching Protocols\r\n\r\n");
}

TEST_CASE("What frames a body is left out of an informational answer") {
  CHECK(answer("HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\nLink: x\r\n\r\n") ==
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\nVia: 1.1 probegate\r\n\r\n");
  CHECK(answer("HTTP/1.1 101 Switching Protocols\r\nContent-Length: 5\r\nX : y\r\n\r\n",
               ConnectionField::upgrade) ==
        "HTTP/1.1 101 Switching Protocols\r\nX: y\r\nVia: 1.1 probegate\r\nConnection: Upgrade\r\nUpgrade: "
        "websocket\r\n\r\n");
}

TEST_CASE("A name that an app may read as another is dropped like it") {
  Forwarding auth;
  auth.drop = {"x-user-id"};
  for (const std::string name : {"X-User-Id", "x_user_id", "X.User.Id", "X_User.id", "X!User~Id"}) {
    CHECK(auth(get(name + ": 1\r\n")) == forwarded(""));
  }
  CHECK(auth(get("XxUser-Id: 1\r\n")) == forwarded("XxUser-Id: 1\r\n"));
  CHECK(auth(get("X.Forwarded.For: 6.6.6.6\r\nX.Forwarded.Port: 1\r\nX_Request.Id: 2\r\n")) == forwarded(""));
}

TEST_CASE("An untrusted client's word about forwarding is replaced") {
  CHECK(Forwarding{}(
            get("X-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\nX-Forwarded-Proto: https\r\n"
                "X-Forwarded-Port: 1\r\nx_forwarded_prefix: /evil\r\nX-FORWARDED-Server: evil\r\n"
                "X-Forwarded-Host: evil\r\nX_Forwarded_For: 10.0.0.3\r\nX-Forwarded_Host: evil\r\n"
                "Forwarded: for=10.0.0.1\r\nVia: 1.0 front\r\n")) ==
        forwarded("Forwarded: for=10.0.0.1\r\nVia: 1.0 front\r\n"));
  CHECK(Forwarding{}(get("X-Forwarded: 1\r\nX-Forwardedfor: 2\r\n")) ==
        forwarded("X-Forwarded: 1\r\nX-Forwardedfor: 2\r\n"));
  Forwarding trusted;
  trusted.client.trusted = true;
  CHECK(trusted(get("X-Forwarded-Port: 443\r\n")).find("X-Forwarded-Port: 443\r\n") != std::string::npos);
  Forwarding zone;
  zone.client.address = "fe80::1%eth0";
  CHECK(zone(get("")).find("X-Forwarded-For: fe80::1\r\n") != std::string::npos);
}

TEST_CASE("A trusted client's word about forwarding is kept and added to") {
  Forwarding trusted;
  trusted.client.trusted = true;
  CHECK(trusted(get(
            "X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 10.0.0.3\r\n"
            "X-Forwarded-Host: front\r\n")) ==
        "GET /p HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: front\r\n"
        "X-Forwarded-For: 10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.7\r\nX-Request-Id: made-id\r\nVia: 1.1 "
        "probegate\r\n\r\n");
  CHECK(trusted(get("")) == forwarded(""));

  trusted.client.address = "";  // a unix socket
  CHECK(trusted(get("X-Forwarded-For: 10.0.0.1\r\n")).find("X-Forwarded-For: 10.0.0.1\r\n") !=
        std::string::npos);
  CHECK(trusted(get("")).find("X-Forwarded-For") == std::string::npos);
  CHECK(trusted(get("Connection: X-Forwarded-For\r\nX-Forwarded-For: 10.0.0.1\r\n")).find("10.0.0.1") ==
        std::string::npos);
}

TEST_CASE("A request keeps its id and gets one when it has none") {
  CHECK(Forwarding{}(get("X-Request-ID: theirs\r\n")).find("X-Request-ID: theirs\r\n") != std::string::npos);
  CHECK(Forwarding{}(get("X-Request-ID: theirs\r\n")).find("made-id") == std::string::npos);
  CHECK(Forwarding{}(get("X-Request-ID:\r\n")) == forwarded(""));
}

TEST_CASE("Named fields are left out, with hyphen or underscore, and lines are added verbatim") {
  Forwarding auth;
  auth.drop = {"x-user-id"};
  auth.add = "x-user-id: 7\r\n";
  CHECK(auth(get("X-User-Id: 1\r\nX_USER-ID: 1\r\nX-User-Ids: 1\r\n")) ==
        "GET /p HTTP/1.1\r\nHost: a\r\nX-User-Ids: 1\r\n" + kAdded + "x-user-id: 7\r\n\r\n");
}

TEST_CASE("Max-Forwards counts down") {
  const auto forwards = [](const std::string& value) {
    const auto out = Forwarding{}("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: " + value + "\r\n\r\n");
    const auto at = out.find("Max-Forwards: ") + 14;
    return out.substr(at, out.find("\r\n", at) - at);
  };
  CHECK(forwards("5") == "4");
  CHECK(forwards("0") == "0");
  CHECK(forwards("x") == "x");
}

TEST_CASE("An answer goes on without the fields of its hop") {
  CHECK(
      answer("HTTP/1.1 200 Fine\r\nDate: d\r\nServer: s\r\nConnection: keep-alive, X-One\r\nX-One: 1\r\n"
             "Keep-Alive: timeout=5\r\nProxy-Authenticate: x\r\nUpgrade: h2c\r\nSet-Cookie: a\r\nset-cookie: "
             "b\r\n"
             "Content-Length: 3\r\n\r\nabc") ==
      "HTTP/1.1 200 Fine\r\nDate: d\r\nServer: s\r\nSet-Cookie: a\r\nset-cookie: b\r\nVia: 1.1 probegate\r\n"
      "Content-Length: 3\r\n\r\n");
}

TEST_CASE("An answer says what the connection will do") {
  const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  const std::string head = "HTTP/1.1 200 OK\r\nVia: 1.1 probegate\r\nContent-Length: 0\r\n";
  CHECK(answer(bytes) == head + "\r\n");
  CHECK(answer(bytes, ConnectionField::close) == head + "Connection: close\r\n\r\n");
  CHECK(answer(bytes, ConnectionField::keep_alive, 0) == head + "Connection: keep-alive\r\n\r\n");
  CHECK(answer("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUPGRADE: WebSocket\r\n"
               "Sec-WebSocket-Accept: x\r\n\r\n",
               ConnectionField::upgrade) ==
        "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nVia: 1.1 probegate\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  const std::string required =
      "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: "
      "0\r\n\r\n";
  CHECK(answer(required, ConnectionField::close) ==
        "HTTP/1.1 426 Upgrade Required\r\nVia: 1.1 probegate\r\nContent-Length: 0\r\nUpgrade: websocket\r\n"
        "Connection: close, Upgrade\r\n\r\n");
}

TEST_CASE("An answer's framing fits the client") {
  const std::string via = "Via: 1.1 probegate\r\n";
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n";
  CHECK(answer(chunked) == "HTTP/1.1 200 OK\r\nTrailer: X\r\n" + via + "Transfer-Encoding: chunked\r\n\r\n");
  CHECK(answer(chunked, ConnectionField::none, 1, false) ==
        "HTTP/1.1 200 OK\r\n" + via + "Transfer-Encoding: chunked\r\n\r\n");
  CHECK(answer(chunked, ConnectionField::none, 0) == "HTTP/1.1 200 OK\r\n" + via + "\r\n");
  const std::string endless = "HTTP/1.0 200 OK\r\n\r\n";
  CHECK(answer(endless) == "HTTP/1.1 200 OK\r\nVia: 1.0 probegate\r\n\r\n");
  CHECK(answer(endless, ConnectionField::none, 0) == "HTTP/1.1 200 OK\r\nVia: 1.0 probegate\r\n\r\n");
  CHECK(answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", ConnectionField::none, 1, false, "HEAD") ==
        "HTTP/1.1 200 OK\r\n" + via + "Content-Length: 9\r\n\r\n");
  CHECK(answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n") ==
        "HTTP/1.1 304 Not Modified\r\n" + via + "Content-Length: 9\r\n\r\n");
  CHECK(answer("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n") ==
        "HTTP/1.1 204 No Content\r\n" + via + "\r\n");
  CHECK(answer("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n") ==
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n" + via + "\r\n");
}

TEST_CASE("Every status we answer with has a reason phrase") {
  for (const int status : {400, 401, 403, 404, 405, 408, 413, 414, 426, 431, 500, 501, 502, 503, 504, 505}) {
    CHECK_FALSE(reason_phrase(status).empty());
  }
  CHECK(reason_phrase(599).empty());
}
