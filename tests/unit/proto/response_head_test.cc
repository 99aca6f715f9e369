#include <string>
#include <vector>

#include "http_parsing.h"

using namespace probegate::proto;
using namespace std::string_literals;

namespace {

const std::string kOk = "HTTP/1.1 200 OK\r\n";

std::string head_of(const std::string& bytes, std::string_view method = "GET") {
  const auto outcome = parse_response(bytes, method);
  INFO(bytes << "\n" << outcome.text());
  REQUIRE_FALSE(outcome.refused);
  REQUIRE_FALSE(outcome.messages.empty());
  const std::string& head = outcome.messages[0].head;
  return head.substr(0, head.find("\n"));
}

}  // namespace

TEST_CASE("An answer that can be read in two ways is refused") {
  const std::vector<std::pair<const char*, std::string>> table{
      {"not HTTP", "SSH-2.0-x\r\n"},
      {"an empty line first", "\r\n" + kOk + "\r\n"},
      {"ICY", "ICY 200 OK\r\n\r\n"},
      {"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n"},
      {"lower case", "http/1.1 200 OK\r\n\r\n"},
      {"status 99", "HTTP/1.1 099 OK\r\n\r\n"},
      {"two digits", "HTTP/1.1 99 OK\r\n\r\n"},
      {"four digits", "HTTP/1.1 2000 OK\r\n\r\n"},
      {"two spaces", "HTTP/1.1  200 OK\r\n\r\n"},
      {"no status", "HTTP/1.1\r\n\r\n"},
      {"NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n"s},
      {"CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n"},
      {"bare LF", "HTTP/1.1 200 OK\n\n"},
      {"bare LF after a field", kOk + "X: a\n\r\n"},
      {"a blank and no colon", kOk + "X a\r\n\r\n"},
      {"a blank in place of a name", kOk + " : a\r\n\r\n"},
      {"obs-fold", kOk + "X: a\r\n b\r\n\r\n"},
      {"CL and TE", kOk + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"two CL", kOk + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"},
      {"CL list", kOk + "Content-Length: 1, 1\r\n\r\n"},
      {"bad CL", kOk + "Content-Length: one\r\n\r\n"},
      {"TE in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"TE gzip, chunked", kOk + "Transfer-Encoding: gzip, chunked\r\n\r\n"},
      {"TE chunked, identity", kOk + "Transfer-Encoding: chunked, identity\r\n\r\n"},
      {"TE twice", kOk + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"Connection nominates CL", kOk + "Connection: Content-Length\r\nContent-Length: 1\r\n\r\na"},
  };
  for (const auto& [what, bytes] : table) {
    INFO(what);
    const auto outcome = parse_response(bytes);
    INFO(outcome.text());
    CHECK(outcome.refused);
    CHECK(outcome.detail != "");
    CHECK(outcome.messages.empty());
  }
}

TEST_CASE("An answer's body is what its status, the request and its fields say") {
  CHECK(head_of(kOk + "Content-Length: 2\r\n\r\nab") == "200 OK 1.1, length 2, keep-alive, Content-Length 2");
  CHECK(head_of(kOk + "Content-Length: 0\r\n\r\n") == "200 OK 1.1, no body, keep-alive, Content-Length 0");
  CHECK(head_of(kOk + "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n") == "200 OK 1.1, chunked, keep-alive");
  CHECK(head_of(kOk + "\r\n") == "200 OK 1.1, until close");
  CHECK(head_of(kOk + "Transfer-Encoding: identity\r\n\r\n") == "200 OK 1.1, until close");
  CHECK(head_of(kOk + "Transfer-Encoding: Identity\r\nContent-Length: 2\r\n\r\nab") ==
        "200 OK 1.1, length 2, keep-alive, Content-Length 2");
  CHECK(head_of(kOk + "Content-Length: 2\r\nTransfer-Encoding: identity\r\n\r\n", "HEAD") ==
        "200 OK 1.1, no body, keep-alive, Content-Length 2");
  CHECK(head_of(kOk + "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") ==
        "200 OK 1.1, chunked, keep-alive");
  CHECK(head_of("HTTP/1.0 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nab") ==
        "200 OK 1.0, length 2, Content-Length 2");
  CHECK(head_of(kOk + "Content-Length: 2\r\n\r\n", "HEAD") ==
        "200 OK 1.1, no body, keep-alive, Content-Length 2");
  CHECK(head_of(kOk + "Transfer-Encoding: chunked\r\n\r\n", "HEAD") == "200 OK 1.1, no body, keep-alive");
  CHECK(head_of(kOk + "\r\n", "HEAD") == "200 OK 1.1, no body, keep-alive");
  CHECK(head_of("HTTP/1.1 204 No Content\r\n\r\n") == "204 No Content 1.1, no body, keep-alive");
  CHECK(head_of("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n") ==
        "304 Not Modified 1.1, no body, keep-alive, Content-Length 9");
  CHECK(head_of("HTTP/1.1 100 Continue\r\n\r\n") == "100 Continue 1.1, no body, keep-alive");
  CHECK(head_of("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n") ==
        "200  1.1, no body, keep-alive, Content-Length 0");
  CHECK(head_of("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n") ==
        "200  1.1, no body, keep-alive, Content-Length 0");
}

TEST_CASE("An answer says whether its connection stays") {
  const auto keeps = [](const std::string& bytes) {
    return head_of(bytes).find(", keep-alive") != std::string::npos;
  };
  CHECK(keeps(kOk + "Content-Length: 0\r\n\r\n"));
  CHECK_FALSE(keeps(kOk + "Content-Length: 0\r\nConnection: close\r\n\r\n"));
  CHECK_FALSE(keeps("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
  CHECK(keeps("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"));
  CHECK_FALSE(keeps("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"));
  CHECK_FALSE(keeps("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"));
  CHECK_FALSE(keeps("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"));
}

TEST_CASE("Informational answers come before the final one") {
  const auto outcome =
      parse_response("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + kOk +
                     "Content-Length: 2\r\n\r\nok");
  INFO(outcome.text());
  REQUIRE(outcome.messages.size() == 3);
  CHECK(outcome.messages[0].done);
  CHECK(outcome.messages[1].done);
  CHECK(outcome.messages[2].payload == "ok");
}

TEST_CASE("An informational answer ends at its empty line, whatever its fields say of a body") {
  for (const std::string fields :
       {"Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Content-Length: 5\r\n",
        "Content-Length: 0\r\n", "Content-Length: x\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length : 5\r\n",
        "Connection: Content-Length\r\nContent-Length: 5\r\n"}) {
    CAPTURE(fields);
    for (const std::string line :
         {"HTTP/1.1 100 Continue", "HTTP/1.1 103 Early Hints", "HTTP/1.0 102 P", "HTTP/1.1 199 Odd"}) {
      const auto outcome =
          parse_response(line + "\r\n" + fields + "\r\n" + kOk + "Content-Length: 2\r\n\r\nok");
      INFO(outcome.text());
      REQUIRE(outcome.messages.size() == 2);
      CHECK(outcome.messages[0].done);
      CHECK(outcome.messages[0].payload == "");
      CHECK(outcome.messages[1].payload == "ok");
    }
    const auto outcome = parse_response("HTTP/1.1 101 Switching\r\n" + fields + "\r\n5\r\nhello");
    REQUIRE(outcome.messages.size() == 1);
    CHECK(outcome.messages[0].done);
    CHECK(outcome.rest == "5\r\nhello");
  }
}

TEST_CASE("An answer of any status is read, and of any version of HTTP/1") {
  for (const int status : {200, 299, 599, 600, 700, 999}) {
    const auto text = std::to_string(status);
    CHECK(head_of("HTTP/1.1 " + text + " Odd\r\nContent-Length: 2\r\n\r\nab") ==
          text + " Odd 1.1, length 2, keep-alive, Content-Length 2");
  }
  CHECK(head_of("HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nab") ==
        "200 OK 1.1, length 2, keep-alive, Content-Length 2");
}

TEST_CASE("Blanks before a colon are dropped from an answer, and the field means what it says") {
  for (const std::string blank : {" ", "\t", " \t  "}) {
    CHECK(head_of(kOk + "X" + blank + ": a\r\nContent-Length" + blank + ": 2\r\n\r\nab") ==
          "200 OK 1.1, length 2, keep-alive, Content-Length 2");
    CHECK(head_of(kOk + "Transfer-Encoding" + blank + ": chunked\r\n\r\n0\r\n\r\n") ==
          "200 OK 1.1, chunked, keep-alive");
    const auto outcome =
        parse_response(kOk + "Transfer-Encoding" + blank + ": chunked\r\nContent-Length: 5\r\n\r\n");
    CHECK(outcome.refused);
  }
}

TEST_CASE("What follows a 101 stays with the caller") {
  for (const std::string fields : {"Upgrade: websocket\r\nConnection: Upgrade\r\n", ""}) {
    const auto outcome = parse_response("HTTP/1.1 101 Switching Protocols\r\n" + fields + "\r\n\x81\x02hi");
    INFO(outcome.text());
    REQUIRE(outcome.messages.size() == 1);
    CHECK(outcome.messages[0].done);
    CHECK(outcome.rest == "\x81\x02hi");
  }
}

TEST_CASE("The end of the connection completes only a body that lasts until then") {
  const auto complete = [](std::string_view bytes) {
    HttpParser parser(HttpParser::Role::response, {});
    std::span<const char> input(bytes);
    while (parser.feed(input) != HttpParser::Event::more && !input.empty()) {
    }
    return parser.finish();
  };
  CHECK(complete("HTTP/1.1 200 OK\r\n\r\n"));
  CHECK(complete("HTTP/1.1 200 OK\r\n\r\nabc"));
  CHECK_FALSE(complete("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"));
  CHECK_FALSE(complete("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"));
  CHECK_FALSE(complete("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"));
  CHECK_FALSE(complete("HTTP/1.1 200 OK\r\n"));
  CHECK_FALSE(complete(""));
  CHECK(complete("HTTP/1.1 204 No Content\r\n\r\n"));
}
