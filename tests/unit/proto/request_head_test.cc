#include <algorithm>
#include <string>
#include <vector>

#include "http_parsing.h"

using namespace probegate::proto;
using namespace std::string_literals;

namespace {

struct Refused {
  const char* what;
  std::string bytes;
  int status = 400;
};

const std::string kHost = "Host: a\r\n";

std::string get(const std::string& fields) { return "GET / HTTP/1.1\r\n" + kHost + fields + "\r\n"; }
std::string post(const std::string& fields, const std::string& body = "") {
  return "POST / HTTP/1.1\r\n" + kHost + fields + "\r\n" + body;
}
std::string line(const std::string& request_line) { return request_line + "\r\n" + kHost + "\r\n"; }

void require_refused(const std::vector<Refused>& table) {
  for (const Refused& row : table) {
    INFO(row.what);
    const auto outcome = parse_request(row.bytes);
    INFO(outcome.text());
    CHECK(outcome.refused);
    CHECK(outcome.status == row.status);
    CHECK(outcome.detail != "");
    CHECK(outcome.messages.empty());
  }
}

// The head of a request that must be accepted, as text.
std::string accepted(const std::string& bytes) {
  const auto outcome = parse_request(bytes);
  INFO(bytes << "\n" << outcome.text());
  REQUIRE_FALSE(outcome.refused);
  REQUIRE(outcome.messages.size() == 1);
  return outcome.messages[0].head;
}

}  // namespace

TEST_CASE("A request whose length can be read in two ways is refused") {
  require_refused({
      {"CL and TE", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
      {"TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")},
      {"two different CL", post("Content-Length: 5\r\nContent-Length: 6\r\n")},
      {"two equal CL", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")},
      {"CL list of equals", post("Content-Length: 5, 5\r\n", "hello")},
      {"CL list", post("Content-Length: 5, 6\r\n")},
      {"CL with plus", post("Content-Length: +4\r\n")},
      {"CL negative", post("Content-Length: -4\r\n")},
      {"CL hex", post("Content-Length: 0x4\r\n")},
      {"CL with a blank inside", post("Content-Length: 4 4\r\n")},
      {"CL above 2^63-1", post("Content-Length: 9223372036854775808\r\n")},
      {"CL empty", post("Content-Length: \r\n")},
      {"CL of 2^64", post("Content-Length: 18446744073709551616\r\n")},
      {"CL folded", post("Content-Length:\r\n 4\r\n", "abcd")},
      {"TE folded", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")},
      {"TE twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
      {"TE chunked, identity", post("Transfer-Encoding: chunked, identity\r\n")},
      {"TE chunked, gzip", post("Transfer-Encoding: chunked, gzip\r\n")},
      {"TE chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n")},
      {"TE identity", post("Transfer-Encoding: identity\r\n")},
      {"TE identity, chunked", post("Transfer-Encoding: identity, chunked\r\n")},
      {"TE empty", post("Transfer-Encoding: \r\n")},
      {"TE with an empty element", post("Transfer-Encoding: chunked,\r\n")},
      {"TE quoted", post("Transfer-Encoding: \"chunked\"\r\n")},
      {"TE xchunked", post("Transfer-Encoding: xchunked\r\n")},
      {"TE chunkedx", post("Transfer-Encoding: chunkedx\r\n")},
      {"TE with a parameter", post("Transfer-Encoding: chunked;a=b\r\n")},
      {"TE with VT", post("Transfer-Encoding: \vchunked\r\n")},
      {"TE gzip, chunked: known, but not by us", post("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {"TE gzip alone", post("Transfer-Encoding: gzip\r\n"), 501},
      {"TE in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"Connection nominates Host", get("Connection: host\r\n")},
      {"Connection nominates CL", post("Connection: close, Content-Length\r\nContent-Length: 1\r\n", "a")},
      {"Connection nominates TE", post("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n")},
  });
}

TEST_CASE("A request whose lines can be read in two ways is refused") {
  require_refused({
      {"LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"},
      {"LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"},
      {"LF ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\n"},
      {"LF only", "GET / HTTP/1.1\nHost: a\n\n"},
      {"bare CR in a value", get("X: a\rb\r\n")},
      {"CR hides a field (CVE-2023-30589)", get("X:\rTransfer-Encoding: chunked\r\n")},
      {"CR hides a field behind a byte", get("X:\rxTransfer-Encoding: chunked\r\n")},
      {"bare CR in a name", get("X\rY: a\r\n")},
      {"bare CR begins a line", get("\rX: a\r\n")},
      {"two CR before LF", get("X: a\r\r\n")},
      {"CR in the request line", "GET /\rHTTP/1.1\r\nHost: a\r\n\r\n"},
      {"leading bare CR", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"leading bare LF", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"obs-fold", get("X: a\r\n b\r\n")},
      {"obs-fold with HTAB", get("X: a\r\n\tb\r\n")},
      {"blank before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"blank before the colon", get("X : a\r\n")},
      {"HTAB before the colon", get("X\t: a\r\n")},
      {"no colon", get("X\r\n")},
      {"empty name", get(": b\r\n")},
      {"NUL in a value", get("X: a\0b\r\n"s)},
      {"control character in a value", get("X: a\x01\r\n")},
      {"DEL in a value", get("X: a\x7f\r\n")},
      {"NUL in a name", get("X\0Y: a\r\n"s)},
      {"obs-text in a name", get("X\x80: a\r\n")},
      {"parenthesis in a name", get("X(: a\r\n")},
      {"quote in a name", get("X\": a\r\n")},
      {"brace in a name", get("X}: a\r\n")},
      {"at sign in a name", get("X@: a\r\n")},
      {"slash in a name", get("X/Y: a\r\n")},
      {"too many Connection options", get("Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\nConnection: "
                                          "b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b,b\r\n")},
  });
}

TEST_CASE("A request line other than method, target and version is refused") {
  require_refused({
      {"two spaces before the target", line("GET  / HTTP/1.1")},
      {"two spaces before the version", line("GET /  HTTP/1.1")},
      {"trailing space", line("GET / HTTP/1.1 ")},
      {"HTAB", line("GET\t/\tHTTP/1.1")},
      {"leading space", line(" GET / HTTP/1.1")},
      {"no version (HTTP/0.9)", "GET /\r\n\r\n"},
      {"no target", line("GET HTTP/1.1")},
      {"lower-case version", line("GET / http/1.1")},
      {"HTTP/1.10", line("GET / HTTP/1.10")},
      {"HTTP/11", line("GET / HTTP/11")},
      {"RTSP", line("SETUP / RTSP/1.0")},
      {"ICE", line("SOURCE / ICE/1.0")},
      {"explicit HTTP/0.9", line("GET / HTTP/0.9"), 505},
      {"HTTP/2.0", line("GET / HTTP/2.0"), 505},
      {"HTTP/3.7", line("GET / HTTP/3.7"), 505},
      {"the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"CONNECT", line("CONNECT a:443 HTTP/1.1"), 501},
      {"TRACE", line("TRACE / HTTP/1.1"), 405},
      {"PRI in HTTP/1.1", line("PRI * HTTP/1.1")},
      {"fragment", line("GET /a#b HTTP/1.1")},
      {"control character in the target", line("GET /\x01 HTTP/1.1")},
      {"obs-text in the target", line("GET /\x80 HTTP/1.1")},
      {"DEL in the target", line("GET /\x7f HTTP/1.1")},
      {"asterisk with GET", line("GET * HTTP/1.1")},
      {"authority-form", line("GET a:80 HTTP/1.1")},
      {"relative path", line("GET a/b HTTP/1.1")},
      {"another scheme", line("GET ftp://a/ HTTP/1.1")},
      {"user-info in the target", line("GET http://u:p@a/ HTTP/1.1")},
      {"no host in the target", line("GET http:///a HTTP/1.1")},
      {"TLS on the plain port", "\x16\x03\x01\x02"},
  });
}

TEST_CASE("A request without exactly one valid Host is refused") {
  require_refused({
      {"none", "GET / HTTP/1.1\r\n\r\n"},
      {"none with an absolute target", "GET http://a/ HTTP/1.1\r\n\r\n"},
      {"two", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"two equal", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"},
      {"two in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"},
      {"empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
      {"list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
      {"comma", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"},
      {"user-info", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
      {"path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"port without host", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"},
      {"port that is no number", "GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n"},
      {"port out of range", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"},
      {"open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
      {"empty brackets", "GET / HTTP/1.1\r\nHost: []\r\n\r\n"},
      {"bytes after brackets", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"},
      {"obs-text", "GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n"},
  });
}

TEST_CASE("An upgrade to websocket by another method or with a body is refused") {
  const std::string upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  require_refused({
      {"POST", post(upgrade)},
      {"HEAD", "HEAD / HTTP/1.1\r\n" + kHost + upgrade + "\r\n"},
      {"CL", get(upgrade + "Content-Length: 5\r\n") + "hello"},
      {"TE", get(upgrade + "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n"},
  });
}

TEST_CASE("A request upgrades to websocket only where Connection and Upgrade say so in HTTP/1.1") {
  const auto upgrades = [](const std::string& bytes) {
    return accepted(bytes).find(", websocket") != std::string::npos;
  };
  CHECK(upgrades(get("Connection: Upgrade\r\nUpgrade: websocket\r\n")));
  CHECK(upgrades(get("connection: keep-alive, UPGRADE\r\nupgrade: WebSocket\r\n")));
  CHECK(upgrades(get("Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket\r\n")));
  CHECK(upgrades(get("Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\nContent-Length: 0\r\n")));
  CHECK_FALSE(upgrades(get("Upgrade: websocket\r\n")));
  CHECK_FALSE(upgrades(get("Connection: keep-alive\r\nUpgrade: websocket\r\n")));
  CHECK_FALSE(upgrades(get("Connection: Upgrade\r\n")));
  CHECK_FALSE(upgrades(get("Connection: Upgrade\r\nUpgrade: h2c\r\n")));
  CHECK_FALSE(upgrades(get("Connection: Upgrade\r\nUpgrade: websockets\r\n")));
  CHECK_FALSE(upgrades("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
  CHECK_FALSE(upgrades("POST / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
}

TEST_CASE("An upgrade to something else is a plain request, body included") {
  const auto outcome = parse_request(
      post("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n",
           "2\r\nab\r\n0\r\n\r\n"));
  INFO(outcome.text());
  REQUIRE(outcome.messages.size() == 1);
  CHECK(outcome.messages[0].done);
  CHECK(outcome.messages[0].payload == "ab");
}

TEST_CASE("A request's meaning is read from its head") {
  CHECK(accepted("GET /a?b=%20<c> HTTP/1.1\r\nHost: a.example:8080\r\nX-A:1\r\nX-B: \t two words "
                 "\t\r\nX-C:\r\n\r\n") ==
        "GET /a?b=%20<c> path /a?b=%20<c> host a.example:8080 1.1, no body, keep-alive\n  "
        "Host=a.example:8080\n  X-A=1\n"
        "  X-B=two words\n  X-C=");
  CHECK(accepted("GET / HTTP/1.0\r\n\r\n") == "GET / path / host  1.0, no body");
  CHECK(accepted("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n") ==
        "GET / path / host  1.0, no body, keep-alive\n  Connection=Keep-Alive");
  CHECK(accepted(get("Connection: foo, Close\r\n")) ==
        "GET / path / host a 1.1, no body\n  Host=a\n  Connection=foo, Close");
  CHECK(accepted("\r\n\r\nGET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n") ==
        "GET / path / host [::1]:80 1.1, no body, keep-alive\n  Host=[::1]:80");
  CHECK(accepted(get("X: \x80\xff\t\r\n")) ==
        "GET / path / host a 1.1, no body, keep-alive\n  Host=a\n  X=\x80\xff");
  CHECK(accepted("M-SEARCH * HTTP/1.1\r\nHost: a\r\n\r\n"s.replace(9, 1, "/")) ==
        "M-SEARCH / path / host a 1.1, no body, keep-alive\n  Host=a");
  CHECK(accepted(post("Content-Length: 0\r\n")) ==
        "POST / path / host a 1.1, no body, keep-alive\n  Host=a\n  Content-Length=0");
}

TEST_CASE("An absolute target names host and path") {
  const auto meaning = [](const std::string& method, const std::string& target) {
    const auto text = accepted(method + " " + target + " HTTP/1.1\r\nHost: other\r\n\r\n");
    const auto path = text.find(" path ");
    return text.substr(path + 6, text.find(" 1.1") - path - 6);
  };
  CHECK(meaning("GET", "http://b.example:8080/x?y") == "/x?y host b.example:8080");
  CHECK(meaning("GET", "HTTPS://b/x") == "/x host b");
  CHECK(meaning("GET", "http://b") == "/ host b");
  CHECK(meaning("GET", "http://b?q=1") == "/?q=1 host b");
  CHECK(meaning("OPTIONS", "http://b") == "* host b");
  CHECK(meaning("OPTIONS", "*") == "* host other");
  CHECK(meaning("GET", "//b/x") == "//b/x host other");
}

TEST_CASE("Expect counts only in HTTP/1.1 and with a body") {
  const auto expects = [](const std::string& bytes) {
    const auto outcome = parse_request(bytes);
    REQUIRE(outcome.messages.size() == 1);
    return outcome.messages[0].head.find(", expect") != std::string::npos;
  };
  CHECK(expects(post("Expect: 100-Continue\r\nContent-Length: 1\r\n", "a")));
  CHECK(expects(post("Expect: 100-continue\r\nExpect: other\r\nContent-Length: 1\r\n", "a")));
  CHECK(expects(post("Expect: other, 100-continue\r\nContent-Length: 1\r\n", "a")));
  CHECK_FALSE(expects(post("Expect: 100-continue\r\n")));
  CHECK_FALSE(expects(post("Expect: other\r\nContent-Length: 1\r\n", "a")));
  CHECK_FALSE(expects("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na"));
}

TEST_CASE("A head over a limit is refused by the part that is too large") {
  HttpLimits limits;
  limits.head_bytes = 100;
  limits.fields = 3;
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  const auto status = [&](const std::string& bytes) {
    const auto outcome = parse_request(bytes, limits);
    return outcome.refused ? outcome.status : 0;
  };
  const std::string rest = std::string(100 - start.size() - 7, 'x');
  CHECK(status(start + "X: " + rest + "\r\n\r\n") == 0);
  CHECK(status(start + "X: " + rest + "x\r\n\r\n") == 431);
  CHECK(status("GET /" + std::string(95, 'x')) == 414);
  CHECK(status("GET /" + std::string(200, 'x') + " HTTP/1.1\r\n\r\n") == 414);
  CHECK(status(start + "A: 1\r\nB: 2\r\n\r\n") == 0);
  CHECK(status(start + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n") == 431);

  const std::string blank_lines = [] {
    std::string text;
    for (int i = 0; i < 50; ++i) text += "\r\n";
    return text;
  }();
  CHECK(status(blank_lines + start + "\r\n") == 0);
  CHECK(status(blank_lines + "\r") == 431);
}

TEST_CASE("Connection names up to 32 options, in one field or in several") {
  const auto named = [](int count) {
    std::string list;
    for (int i = 0; i < count; ++i) list += (i == 0 ? "x" : ", x") + std::to_string(i);
    return list;
  };
  const auto head = [](const std::string& fields) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  };
  const auto refused = [](const std::string& bytes) { return parse_request(bytes).refused; };
  CHECK_FALSE(refused(head("Connection: " + named(32) + "\r\n")));
  CHECK(refused(head("Connection: " + named(33) + "\r\n")));
  CHECK_FALSE(refused(head("Connection: " + named(31) + "\r\nConnection: close\r\n")));
  CHECK(refused(head("Connection: " + named(32) + "\r\nConnection: close\r\n")));
}

TEST_CASE("A head of any size is read where there is no limit, up to 1 MiB") {
  HttpLimits limits;
  for (const std::size_t limit : {std::size_t{0}, std::size_t{8} << 20}) {
    limits.head_bytes = limit;
    const auto refused = [&](std::size_t size) {
      return parse_request(get("X: " + std::string(size, 'x') + "\r\n"), limits).refused;
    };
    CHECK_FALSE(refused(70'000));
    CHECK_FALSE(refused(1'048'000));
    CHECK(refused(1'048'576));
  }
  CHECK_FALSE(parse_request(line("GET /" + std::string(200'000, 'x') + " HTTP/1.1"), limits).refused);
}

TEST_CASE("Three hundred fields pass in both directions") {
  std::string fields;
  for (int i = 0; i < 300; ++i) fields += "Link: <" + std::to_string(i) + ">\r\n";
  CHECK_FALSE(parse_request(get(fields)).refused);
  CHECK_FALSE(parse_response("HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 0\r\n\r\n").refused);
}

TEST_CASE("A method is any token, and its body is framed like that of the others") {
  const std::vector<std::string> methods{"QUERY",
                                         "LIST",
                                         "BREW",
                                         "BAN",
                                         "SOURCE",
                                         "DESCRIBE",
                                         "VERSION-CONTROL",
                                         "LABEL",
                                         "MKREDIRECTREF",
                                         "PRI",
                                         "get",
                                         "trace",
                                         "connect",
                                         "G",
                                         "X!#$%&'*+-.^_`|~1",
                                         std::string(3000, 'M')};
  for (const auto& method : methods) {
    CAPTURE(method);
    CHECK(accepted(method + " /p HTTP/1.1\r\nHost: a\r\n\r\n") ==
          method + " /p path /p host a 1.1, no body, keep-alive\n  Host=a");
    const auto with_length =
        parse_request(method + " / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + get(""));
    REQUIRE(with_length.messages.size() == 2);
    CHECK(with_length.messages[0].payload == "hi");
    const auto chunked = parse_request(
        method + " / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n" +
        get(""));
    REQUIRE(chunked.messages.size() == 2);
    CHECK(chunked.messages[0].payload == "hi");
    CHECK(parse_request(method + " / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: "
                                 "chunked\r\n\r\n")
              .refused);
  }
}

TEST_CASE("A later version of HTTP/1 is read as HTTP/1.1") {
  for (const std::string version : {"HTTP/1.2", "HTTP/1.9"}) {
    CHECK(accepted("GET / " + version + "\r\nHost: a\r\n\r\n") ==
          "GET / path / host a 1.1, no body, keep-alive\n  Host=a");
  }
}

TEST_CASE("A name that CGI would write like one of ours is not one of ours, and not a stranger either") {
  for (const char mark : {'_', '.', '!', '~', '\''}) {
    const auto spelled = [&](std::string name) {
      std::replace(name.begin(), name.end(), '-', mark);
      return field_name(name);
    };
    CHECK(spelled("Content-Length") == FieldName::ambiguous);
    CHECK(spelled("Transfer-Encoding") == FieldName::ambiguous);
    CHECK(spelled("X-Forwarded-For") == FieldName::ambiguous);
    CHECK(spelled("X-Forwarded-Port") == FieldName::forwarded_other);
    CHECK(same_to_cgi(std::string("X") + mark + "User" + mark + "Id", "x-user-id"));
  }
  CHECK_FALSE(same_to_cgi("xauser-id", "x-user-id"));
  CHECK_FALSE(same_to_cgi("x-user-id", "x-user-i"));
  CHECK_FALSE(same_to_cgi("x-user-1d", "x-user-id"));
  CHECK(field_name("Content0Length") == FieldName::other);
}

TEST_CASE("What is not HTTP is refused before its head ends") {
  const auto early = [](const std::string& bytes) { return parse_request(bytes).refused; };
  CHECK(early("\x16"));
  CHECK(early("GET /\r\n"));
  CHECK(early("HELO there\r\n"));
  CHECK(early("GET / HTTP/1.1\n"));
  CHECK_FALSE(early("GET / HTTP/1.1\r\n"));
}

TEST_CASE("Pipelined requests come one by one and an idle parser knows it") {
  const auto outcome =
      parse_request(get("") + "\r\n" + post("Content-Length: 2\r\n", "hi") + "GET /3 HTTP/1.0\r\n\r\n");
  INFO(outcome.text());
  REQUIRE(outcome.messages.size() == 3);
  CHECK(outcome.messages[1].payload == "hi");
  CHECK(outcome.messages[2].done);

  HttpParser parser(HttpParser::Role::request, {});
  const std::string two = get("") + get("");
  std::span<const char> input(two);
  CHECK(parser.idle());
  CHECK(parser.feed(input) == HttpParser::Event::head);
  CHECK(input.size() == two.size() / 2);
  std::span<const char> nothing;
  CHECK(parser.feed(nothing) == HttpParser::Event::done);
  CHECK(parser.feed(input) == HttpParser::Event::done);
  CHECK(input.size() == two.size() / 2);
  parser.next_message();
  CHECK(parser.idle());
  std::span<const char> blank("\r\n", 2);
  CHECK(parser.feed(blank) == HttpParser::Event::more);
  CHECK(parser.idle());
  CHECK(parser.feed(input) == HttpParser::Event::head);
  CHECK_FALSE(parser.idle());
}
