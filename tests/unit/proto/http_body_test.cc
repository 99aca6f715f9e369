#include <string>
#include <vector>

#include "http_parsing.h"

using namespace probegate::proto;
using Event = HttpParser::Event;

namespace {

const std::string kChunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

struct Step {
  Event event;
  std::string raw, payload;
  bool operator==(const Step&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << "{" << static_cast<int>(step.event) << " raw " << step.raw << " payload " << step.payload
             << "}";
}

// The steps that one read gives, after its head.
std::vector<Step> steps(std::string_view bytes, bool join) {
  HttpParser parser(HttpParser::Role::request, {}, {.join_chunks = join});
  std::span<const char> input(bytes);
  REQUIRE(parser.feed(input) == Event::head);
  std::vector<Step> seen;
  for (Event event = Event::body; event == Event::body;) {
    event = parser.feed(input);
    seen.push_back({event, std::string(parser.raw()), std::string(parser.payload())});
  }
  return seen;
}

}  // namespace

TEST_CASE("A body of known length ends with its last byte") {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
  const auto outcome = parse_request(head + "helloGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  INFO(outcome.text());
  REQUIRE(outcome.messages.size() == 2);
  CHECK(outcome.messages[0].payload == "hello");
  CHECK(outcome.messages[0].raw == "hello");
  CHECK(steps(head + "hello!", false) == std::vector<Step>{{Event::done, "hello", "hello"}});
  CHECK(steps(head + "hel", false) == std::vector<Step>{{Event::body, "hel", "hel"}, {Event::more, "", ""}});
}

TEST_CASE("Chunks pass through unchanged, piece by piece or joined") {
  const std::string body = "5;a=b\r\nhello\r\n0003\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n";
  const auto outcome = parse_request(kChunked + body + "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  INFO(outcome.text());
  REQUIRE(outcome.messages.size() == 2);
  CHECK(outcome.messages[0].payload == "helloabc");
  CHECK(outcome.messages[0].raw == body);

  CHECK(steps(kChunked + body + "rest", false) ==
        std::vector<Step>{{Event::body, "5;a=b\r\nhello", "hello"},
                          {Event::body, "\r\n0003\r\nabc", "abc"},
                          {Event::done, "\r\n0\r\nX-Sum: 1\r\n\r\n", ""}});
  CHECK(steps(kChunked + body + "rest", true) == std::vector<Step>{{Event::done, body, ""}});
}

TEST_CASE("A malformed chunk is refused") {
  const std::vector<std::pair<const char*, std::string>> table{
      {"size with 0x", "0x1\r\na\r\n0\r\n\r\n"},
      {"negative size", "-1\r\na\r\n0\r\n\r\n"},
      {"plus", "+1\r\na\r\n0\r\n\r\n"},
      {"no size", "\r\na\r\n0\r\n\r\n"},
      {"blank before the size", " 1\r\na\r\n0\r\n\r\n"},
      {"blank after the size", "1 \r\na\r\n0\r\n\r\n"},
      {"17 digits", "10000000000000000\r\na\r\n0\r\n\r\n"},
      {"a size above 2^63-1", "8000000000000000\r\na\r\n0\r\n\r\n"},
      {"LF after the size", "1\na\r\n0\r\n\r\n"},
      {"CR after the size", "1\rXa\r\n0\r\n\r\n"},
      {"no CRLF after the data", "1\r\na0\r\n\r\n"},
      {"LF after the data", "1\r\na\n0\r\n\r\n"},
      {"more data than size", "1\r\nab\r\n0\r\n\r\n"},
      {"control character in an extension", "1;a\x01\r\na\r\n0\r\n\r\n"},
      {"LF in an extension", "1;a\n\r\na\r\n0\r\n\r\n"},
      {"CR in an extension", "1;a\rb\r\na\r\n0\r\n\r\n"},
      {"LF ends the trailers", "0\r\n\n"},
      {"LF in the trailers", "0\r\nX: a\n\r\n"},
      {"bare CR in the trailers", "0\r\nX: a\rb\r\n\r\n"},
      {"obs-fold in the trailers", "0\r\nX: a\r\n b\r\n\r\n"},
      {"no colon in the trailers", "0\r\nX\r\n\r\n"},
      {"Content-Length as a trailer", "0\r\nContent-Length: 1\r\n\r\n"},
      {"Transfer-Encoding as a trailer", "0\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"Host as a trailer", "0\r\nhost: a\r\n\r\n"},
      {"Connection as a trailer", "0\r\nConnection: close\r\n\r\n"},
      {"X-Forwarded-Port as a trailer", "0\r\nX-Forwarded_Port: 1\r\n\r\n"},
      {"X-Forwarded-For as a trailer", "0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"},
  };
  for (const auto& [what, body] : table) {
    INFO(what);
    const auto outcome = parse_request(kChunked + body);
    INFO(outcome.text());
    CHECK(outcome.refused);
    CHECK(outcome.status == 400);
    CHECK(outcome.detail != "");
    REQUIRE(outcome.messages.size() == 1);
    CHECK_FALSE(outcome.messages[0].done);
  }
}

TEST_CASE("Of wrong trailers not a byte goes on") {
  const auto outcome = parse_request(kChunked + "1\r\na\r\n0\r\nX: 1\r\nHost: b\r\n\r\n");
  CHECK(outcome.refused);
  CHECK(outcome.wire.find("X: 1") == std::string::npos);
}

TEST_CASE("Who asks and what the content is belongs to a request's head, not behind its body") {
  for (const std::string name :
       {"Authorization", "Cookie", "Content-Encoding", "Content-Range", "Content-Type", "Cache-Control",
        "Pragma", "Range", "If-Match", "If-None-Match", "If-Range", "If-Modified-Since",
        "If-Unmodified-Since", "Origin", "Set-Cookie", "Forwarded", "X-Real-IP", "True-Client-IP"}) {
    CAPTURE(name);
    CHECK(parse_request(kChunked + "0\r\n" + name + ": x\r\n\r\n").refused);
  }
  CHECK_FALSE(parse_request(kChunked + "0\r\nX-Pragma: x\r\n\r\n").refused);
}

TEST_CASE("Trailers that do not go on break nothing, and their answer is whole") {
  struct Row {
    std::string trailers;
    bool keeps_connection = false;
    std::string rest = {};
  };
  const std::vector<Row> rows{
      {"\r\n", true},
      {"X: 1\r\n\r\n", true},
      {"X: 1\r\n\r\nHTTP/1.1 ", true, "HTTP/1.1 "},
      {"Content-Length: 5\r\n\r\n", true},
      {"Transfer-Encoding: chunked\r\nHost: a\r\n\r\n", true},
      {"X : 1\r\n\r\n"},
      {"X\r\n\r\n"},
      {"X: a\rb\r\n\r\n"},
      {"\n"},
      {"X: 1\n\n"},
      {"X: 1\n\r\nHTTP/1.1 200 OK\r\n"},
      {"X: " + std::string(20'000, 'x')},
  };
  for (const auto& row : rows) {
    CAPTURE(row.trailers.substr(0, 100));
    const std::string bytes =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n" + row.trailers;
    for (const std::size_t slice : {bytes.size(), std::size_t{1}, std::size_t{3}}) {
      HttpParser parser(HttpParser::Role::response, {}, {.drop_trailers = true});
      std::string wire;
      std::string_view rest = bytes;
      Event event = Event::more;
      bool done = false;
      while (!done && (!rest.empty() || event != Event::more)) {
        std::span<const char> input(rest.substr(0, slice));
        const std::size_t offered = input.size();
        event = parser.feed(input);
        REQUIRE(event != Event::error);
        rest.remove_prefix(offered - input.size());
        if (event == Event::body || event == Event::done) wire += parser.raw();
        done = event == Event::done;
      }
      CHECK(done);
      CHECK(wire == "2\r\nhi\r\n0\r\n\r\n");
      CHECK(parser.response().keep_alive == row.keeps_connection);
      if (slice == bytes.size()) CHECK(rest == row.rest);
    }
  }
}

TEST_CASE("Chunk extensions are rationed over the whole body, however the chunks are padded") {
  HttpLimits limits;
  limits.chunk_extension_bytes = 100;
  const auto refused = [&](const std::string& body) {
    return parse_request(kChunked + body, limits).refused;
  };
  const auto chunks = [](int count, const std::string& size) {
    std::string body;
    for (int i = 0; i < count; ++i) body += size + "\r\na\r\n";
    return body + "0\r\n\r\n";
  };
  CHECK_FALSE(refused(chunks(1000, "1")));
  CHECK_FALSE(refused(chunks(100, "0000000000000001")));
  CHECK_FALSE(refused(chunks(2, "1;" + std::string(50, 'x'))));
  CHECK(refused(chunks(4, "1;" + std::string(50, 'x'))));
  CHECK(refused(chunks(1, "1;" + std::string(200, 'x'))));
  CHECK(refused("1;" + std::string(200, 'x')));
  CHECK(refused(chunks(1, std::string(200, '0') + "1")));
}

TEST_CASE("Trailers are bounded") {
  HttpLimits limits;
  limits.trailer_bytes = 20;
  const auto fits = parse_request(kChunked + "0\r\nX: 4567890123456\r\n\r\n", limits);
  CHECK_FALSE(fits.refused);
  REQUIRE(fits.messages.size() == 1);
  CHECK(fits.messages[0].done);
  const auto over = parse_request(kChunked + "0\r\nX: 45678901234567\r\n\r\n", limits);
  CHECK(over.refused);
  CHECK(over.status == 431);
}

TEST_CASE("A parser counts the payload and knows where it stands") {
  HttpParser parser(HttpParser::Role::request, {});
  const std::string bytes = kChunked + "5\r\nhello\r\n3\r\nab";
  std::span<const char> input(bytes);
  CHECK(parser.feed(input) == Event::head);
  CHECK(parser.in_body());
  while (parser.feed(input) == Event::body) {
  }
  CHECK(parser.body_bytes() == 7);
  CHECK(parser.in_body());
  std::span<const char> last("c\r\n0\r\n\r\n", 8);
  CHECK(parser.feed(last) == Event::body);
  CHECK(parser.feed(last) == Event::done);
  CHECK(parser.body_bytes() == 8);
  CHECK_FALSE(parser.in_body());
}

TEST_CASE("The trailers of a body can be read, however they came, until the next message") {
  const std::string bytes = kChunked + "2\r\nhi\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n";
  for (const std::size_t slice : {bytes.size(), std::size_t{1}}) {
    HttpParser parser(HttpParser::Role::request, {});
    Event event = Event::more;
    for (std::size_t at = 0; at < bytes.size(); at += slice) {
      std::span<const char> input(std::string_view(bytes).substr(at, slice));
      do event = parser.feed(input);
      while (!input.empty() && event != Event::done);
    }
    REQUIRE(event == Event::done);
    CHECK(parser.trailers().size() == 2);
    CHECK(parser.trailers().get("x-more") == "2");
    parser.next_message();
    CHECK(parser.trailers().size() == 0);
  }
}

TEST_CASE("A refused parser stays refused") {
  HttpParser parser(HttpParser::Role::request, {});
  const std::string bytes = "nonsense\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::span<const char> input(bytes);
  CHECK(parser.feed(input) == Event::error);
  CHECK(parser.feed(input) == Event::error);
  CHECK(parser.raw().empty());
}

TEST_CASE("A parser can be moved with a message half read") {
  HttpParser first(HttpParser::Role::request, {});
  const std::string bytes = kChunked + "2\r\nab\r\n0\r\n\r\n";
  std::span<const char> input(bytes);
  CHECK(first.feed(input) == Event::head);
  HttpParser second = std::move(first);
  CHECK(second.request().method == "POST");
  CHECK(second.feed(input) == Event::body);
  CHECK(second.feed(input) == Event::done);
}
