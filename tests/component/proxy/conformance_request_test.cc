// What a client may send, row by row of RFC 9112 sections 2 to 7 and of what llhttp alone lets through: each
// goes on as exactly one meaning, or is refused with nothing behind it read. Whole, and cut at every byte.
#include "conformance.h"

namespace probegate::test {
namespace {

using namespace std::string_literals;
using Table = std::vector<RequestRow>;

const std::string kHostA = "Host: a\r\n";

std::string get(const std::string& fields = "") { return "GET / HTTP/1.1\r\n" + kHostA + fields + "\r\n"; }
std::string post(const std::string& fields, const std::string& body = "") {
  return "POST / HTTP/1.1\r\n" + kHostA + fields + "\r\n" + body;
}
std::string line(const std::string& request_line) { return request_line + "\r\n" + kHostA + "\r\n"; }

const std::string kPlain = forwarded("GET /", "a");

std::string chunked(const std::string& body) {
  return forwarded("POST /", "a", "", "Transfer-Encoding: chunked\r\n", body);
}
RequestRow chunks(std::string sentence, const std::string& body) {
  return passes(std::move(sentence), post("Transfer-Encoding: chunked\r\n", body), {chunked(body)});
}
// Refused in its body: the backend may have the head, and the body up to the byte that is wrong.
RequestRow bad_chunks(std::string sentence, const std::string& body, const std::string& right = "") {
  return {std::move(sentence), post("Transfer-Encoding: chunked\r\n", body), 400, "bad_request", {},
          chunked(right)};
}

}  // namespace

TEST_CASE("Of two lengths, or one that is none, no request is made") {
  check_requests({
      {"CL and TE", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
      {"TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")},
      {"two CL that are equal", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")},
      {"two CL that differ", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")},
      {"CL as a list of equals", post("Content-Length: 4, 4\r\n", "hell")},
      {"CL with a plus", post("Content-Length: +4\r\n", "hell")},
      {"CL below zero", post("Content-Length: -4\r\n", "hell")},
      {"CL in hex", post("Content-Length: 0x4\r\n", "hell")},
      {"CL with a blank inside", post("Content-Length: 4 4\r\n", "hell")},
      {"CL empty", post("Content-Length: \r\n", "hell")},
      {"CL of 2^64", post("Content-Length: 18446744073709551616\r\n", "hell")},
      {"CL of 2^63", post("Content-Length: 9223372036854775808\r\n", "hell")},
      {"CL folded", post("Content-Length:\r\n 4\r\n", "hell")},
      {"CL of a GET that differs from its twin", get("Content-Length: 0\r\nContent-Length: 44\r\n")},
      {"TE folded", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")},
      {"TE twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
      {"TE chunked, identity", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n")},
      {"TE chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")},
      {"TE chunked, not last", post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n")},
      {"TE behind a VT", post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n")},
      {"TE identity", post("Transfer-Encoding: identity\r\n", "0\r\n\r\n")},
      {"TE identity, chunked", post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n")},
      {"TE xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")},
      {"TE chunkedx", post("Transfer-Encoding: chunkedx\r\n", "0\r\n\r\n")},
      {"TE quoted", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n")},
      {"TE empty", post("Transfer-Encoding:\r\n", "0\r\n\r\n")},
      {"TE gzip, chunked, which we cannot read", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
       501},
      {"TE gzip, which we cannot read", post("Transfer-Encoding: gzip\r\n", "0\r\n\r\n"), 501},
      {"TE in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"TE under another spelling of its name", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")},
  });
}

TEST_CASE("Lines that two readers would end or join in two ways are refused") {
  check_requests({
      {"an LF alone behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"},
      {"an LF alone behind a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"},
      {"an LF alone ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\n"},
      {"an LF alone in front of the request", "\n" + get()},
      {"a CR alone in front of the request", "\r" + get()},
      {"a CR alone in a value", get("X: a\rb\r\n")},
      {"a CR that hides a field (CVE-2023-30589)", get("X:\rTransfer-Encoding: chunked\r\n")},
      {"a CR that hides a field behind a byte", get("X:\rxTransfer-Encoding: chunked\r\n")},
      {"a CR alone in a name", get("X\rY: a\r\n")},
      {"a CR alone in the request line", "GET /\rHTTP/1.1\r\nHost: a\r\n\r\n"},
      {"two CR in front of an LF", get("X: a\r\r\n")},
      {"obs-fold", get("X: a\r\n b\r\n")},
      {"obs-fold with HTAB", get("X: a\r\n\tb\r\n")},
      {"a blank in front of the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"a blank in front of the colon", get("X : a\r\n")},
      {"HTAB in front of the colon", get("X\t: a\r\n")},
      {"a line without a colon", get("X\r\n")},
      {"a name of no length", get(": b\r\n")},
      {"NUL in a value", get("X: a\0b\r\n"s)},
      {"a control character in a value", get("X: a\x01\r\n")},
      {"DEL in a value", get("X: a\x7f\r\n")},
      {"NUL in a name", get("X\0Y: a\r\n"s)},
      {"0x80 in a name", get("X\x80: a\r\n")},
      {"( in a name", get("X(: a\r\n")},
      {") in a name", get("X): a\r\n")},
      {"{ in a name", get("X{: a\r\n")},
      {"@ in a name", get("X@: a\r\n")},
      {"/ in a name", get("X/: a\r\n")},
      {"\" in a name", get("X\": a\r\n")},
  });
}

TEST_CASE("A request line is a method, a target and HTTP/1, with one space between") {
  check_requests({
      {"HTTP/0.9, simple", "GET /\r\n\r\n"},
      {"HTTP/0.9, explicit", line("GET / HTTP/0.9"), 505},
      {"HTTP/2.0", line("GET / HTTP/2.0"), 505},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"HTTP/3.7", line("GET / HTTP/3.7"), 505},
      {"http/1.1", line("GET / http/1.1")},
      {"HTTP/1.10", line("GET / HTTP/1.10")},
      {"RTSP", line("SETUP / RTSP/1.0")},
      {"ICE", line("SOURCE / ICE/1.0")},
      {"two spaces in front of the target", line("GET  / HTTP/1.1")},
      {"two spaces in front of the version", line("GET /  HTTP/1.1")},
      {"HTAB between", line("GET\t/ HTTP/1.1")},
      {"HTAB in the target", line("GET /\tx HTTP/1.1")},
      {"0x01 in the target", line("GET /\x01 HTTP/1.1")},
      {"0x80 in the target", line("GET /\x80 HTTP/1.1")},
      {"a fragment", line("GET /a#frag HTTP/1.1")},
      {"* with GET", line("GET * HTTP/1.1")},
      {"authority-form", line("GET a:80 HTTP/1.1")},
      {"CONNECT", line("CONNECT a:443 HTTP/1.1"), 501},
      {"TRACE", line("TRACE / HTTP/1.1"), 405},
      {"TLS", "\x16\x03\x01\x02\x00\x01"s},
  });
}

TEST_CASE("An HTTP/1.1 request names one host") {
  check_requests({
      {"none", "GET / HTTP/1.1\r\n\r\n"},
      {"none, and an absolute target", "GET http://a/ HTTP/1.1\r\n\r\n"},
      {"two", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"two that are equal", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"},
      {"empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
      {"with user-info", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
      {"with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
      {"nominated by Connection", get("Connection: Host\r\n")},
      {"CL nominated by Connection", post("Connection: Content-Length\r\nContent-Length: 5\r\n", "hello")},
      {"TE nominated by Connection",
       post("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
      passes("the absolute target wins", "GET http://b:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
             {forwarded("GET /x?y", "b:80")}),
      passes("an absolute target without a path", "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n",
             {forwarded("GET /", "b")}),
      passes("* with OPTIONS", line("OPTIONS * HTTP/1.1"), {forwarded("OPTIONS *", "a")}),
      passes("path and query are not rewritten", line("GET //a/../b/%2e%2E?x=%00&&y HTTP/1.1"),
             {forwarded("GET //a/../b/%2e%2E?x=%00&&y", "a")}),
  });
}

TEST_CASE("Chunks go on as they came, or not at all") {
  check_requests({
      chunks("one chunk", "3\r\nabc\r\n0\r\n\r\n"),
      chunks("hex in both cases, with zeros in front", "00A\r\n0123456789\r\n0a\r\n0123456789\r\n0\r\n\r\n"),
      chunks("an unknown extension", "3;a=b\r\nabc\r\n0;e\r\n\r\n"),
      chunks("an unknown extension in quotes", "3;a=\"b c\"\r\nabc\r\n0\r\n\r\n"),
      bad_chunks("two extensions with values, of which llhttp reads one", "3;a=b;c=d\r\nabc\r\n0\r\n\r\n",
                 "3;a=b;c"),
      chunks("trailers", "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"),
      chunks("a body that looks like a request", "1c\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n\r\n0\r\n\r\n"),
      bad_chunks("a size with a minus", "-1\r\na\r\n0\r\n\r\n"),
      bad_chunks("a size with 0x", "0x1\r\na\r\n0\r\n\r\n", "0"),
      bad_chunks("a size with a blank in front", " 1\r\na\r\n0\r\n\r\n"),
      bad_chunks("a size with a blank behind", "1 \r\na\r\n0\r\n\r\n", "1"),
      bad_chunks("no size", "\r\na\r\n0\r\n\r\n"),
      bad_chunks("17 digits", "10000000000000001\r\na\r\n0\r\n\r\n", "1000000000000000"),
      bad_chunks("a size above 2^63-1", "8000000000000000\r\na\r\n0\r\n\r\n", "8000000000000000\r"),
      bad_chunks("an LF alone behind the size", "1\na\r\n0\r\n\r\n", "1"),
      bad_chunks("a control character in an extension", "1;a\x01\r\na\r\n0\r\n\r\n", "1;a"),
      bad_chunks("an LF alone in an extension", "1;a\nb\r\na\r\n0\r\n\r\n", "1;a"),
      bad_chunks("a CR alone in an extension", "1;a\rx\r\na\r\n0\r\n\r\n", "1;a\r"),
      bad_chunks("no CRLF behind the data", "1\r\na0\r\n\r\n", "1\r\na"),
      bad_chunks("an LF alone behind the data", "1\r\na\n0\r\n\r\n", "1\r\na"),
      bad_chunks("more data than its size", "1\r\nab\r\n0\r\n\r\n", "1\r\na"),
      bad_chunks("CL as a trailer", "1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n", "1\r\na\r\n0\r\n"),
      bad_chunks("Host as a trailer", "0\r\nHost: b\r\n\r\n", "0\r\n"),
      bad_chunks("a name with a blank behind it in the trailers", "0\r\nX : 1\r\n\r\n", "0\r\n"),
      bad_chunks("obs-fold in the trailers", "0\r\nX: 1\r\n 2\r\n\r\n", "0\r\n"),
      bad_chunks("an LF alone ends the trailers", "0\r\nX: 1\r\n\n", "0\r\n"),
  });
}

TEST_CASE("What has one meaning goes on with that meaning") {
  const std::string three =
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + get() +
      "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
  check_requests({
      passes("a plain request", get(), {kPlain}),
      passes("two empty lines in front of it", "\r\n\r\n" + get(), {kPlain}),
      passes("blanks around a value", get("X-A: \t b c\t \r\nX-B:\r\n"),
             {forwarded("GET /", "a", "X-A: b c\r\nX-B: \r\n")}),
      passes("bytes above 0x7f in a value", get("X-A: \x80\xff\r\n"),
             {forwarded("GET /", "a", "X-A: \x80\xff\r\n")}),
      passes("a body of known length", post("Content-Length: 5\r\n", "hello"),
             {forwarded("POST /", "a", "", "Content-Length: 5\r\n", "hello")}),
      passes("a length of zero", post("Content-Length: 0\r\n"),
             {forwarded("POST /", "a", "", "Content-Length: 0\r\n")}),
      passes("a length with zeros in front is written again", post("Content-Length: 0005\r\n", "hello"),
             {forwarded("POST /", "a", "", "Content-Length: 5\r\n", "hello")}),
      passes("GET with a body", get("Content-Length: 2\r\n") + "hi",
             {forwarded("GET /", "a", "", "Content-Length: 2\r\n", "hi")}),
      passes("TE in capitals", post("TRANSFER-ENCODING: Chunked\r\n", "0\r\n\r\n"), {chunked("0\r\n\r\n")}),
      passes("three requests at once, answered in order", three,
             {forwarded("POST /1", "a", "", "Content-Length: 2\r\n", "hi"), kPlain,
              forwarded("POST /3", "a", "", "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n")}),
      passes("HTTP/1.0 without a host, closed behind its answer", "GET / HTTP/1.0\r\n\r\n",
             {"GET / HTTP/1.1\r\nHost: BACKEND\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: "
              "http\r\nX-Request-Id: ID\r\nVia: 1.0 probegate\r\n\r\n"},
             false),
      passes("HTTP/1.0 that stays", "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
             {forwarded("GET /", "a", "", "", "", 0)}),
      passes("Connection: close", get("Connection: close\r\n"), {kPlain}, false),
      passes("an extension method of the registry", line("PROPFIND / HTTP/1.1"),
             {forwarded("PROPFIND /", "a")}),
      passes("an unregistered method", line("BREW / HTTP/1.1"), {forwarded("BREW /", "a")}),
      passes("a method of another protocol, with a body in chunks",
             "SOURCE / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
             {forwarded("SOURCE /", "a", "", "Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n")}),
      passes("a method in lower case", line("get / HTTP/1.1"), {forwarded("get /", "a")}),
      passes("HTTP/1.2, which is 1.1 to us", line("GET / HTTP/1.2"), {kPlain}),
      passes("empty lines in front", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n" + line("GET / HTTP/1.1"), {kPlain}),
  });
}

TEST_CASE("What is for this hop does not go on, and what we say of it is our own word") {
  check_requests({
      passes("fields that Connection names",
             get("Connection: close, X-Private, Authorization\r\nX-Private: 1\r\nX-Public: "
                 "2\r\nAuthorization: x\r\n"),
             {forwarded("GET /", "a", "X-Public: 2\r\n")}, false),
      passes("fields that are for one hop by nature",
             get("Proxy-Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Authorization: x\r\nTE: "
                 "gzip\r\nUpgrade: h2c\r\nTrailer: X\r\n"),
             {kPlain}),
      passes("TE: trailers goes on for this hop's backend", get("TE: trailers, gzip\r\nConnection: TE\r\n"),
             {forwarded("GET /", "a", "", "TE: trailers\r\nConnection: TE\r\n")}),
      passes("X-Forwarded-For that Connection names is still ours",
             get("Connection: X-Forwarded-For\r\nX-Forwarded-For: 6.6.6.6\r\n"), {kPlain}),
      passes("a stranger's X-Forwarded-*",
             get("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "
                 "evil\r\nX-Forwarded-Port: 1\r\n"),
             {kPlain}),
      passes(
          "names that CGI reads as ours",
          get("X_Forwarded_For: 6.6.6.6\r\nX-Forwarded_Host: evil\r\nContent_Length: 5\r\nTransfer_Encoding: "
              "chunked\r\nX.Forwarded.For: 6.6.6.6\r\nX.Forwarded.Port: 1\r\nContent.Length: 7\r\n"),
          {kPlain}),
      passes(
          "Forwarded, Via and the trace go on untouched",
          get("Forwarded: for=6.6.6.6\r\nVia: 1.0 edge\r\ntraceparent: 00-1-2-01\r\n"),
          {forwarded("GET /", "a", "Forwarded: for=6.6.6.6\r\nVia: 1.0 edge\r\ntraceparent: 00-1-2-01\r\n")}),
      passes("Max-Forwards goes down by one", "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 7\r\n\r\n",
             {forwarded("OPTIONS /", "a", "Max-Forwards: 6\r\n")}),
      passes("Expect in HTTP/1.0 means nothing",
             "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
             {forwarded("POST /", "a", "", "Content-Length: 2\r\n", "hi", 0)}, false),
  });
}

TEST_CASE("What is larger than it may be is refused by the part that is") {
  const auto small = [](config::Config& c) {
    c.proxy.limits.header_bytes = 120;
    c.proxy.limits.body_bytes = 8;
  };
  RequestRow chunked_body{"a body in chunks",
                          post("Transfer-Encoding: chunked\r\n", "6\r\nhello \r\n6\r\nworld!\r\n0\r\n\r\n"),
                          413,
                          "body_too_large",
                          {},
                          chunked("6\r\nhello \r\n6\r\nwo")};
  check_requests(
      {
          {"a target", line("GET /" + std::string(130, 'x') + " HTTP/1.1"), 414, "uri_too_long"},
          {"a field", get("X: " + std::string(130, 'x') + "\r\n"), 431, "header_too_large"},
          {"a body of known length", post("Content-Length: 9\r\n", "too large"), 413, "body_too_large"},
          chunked_body,
          passes("a body that just fits", post("Content-Length: 8\r\n", "8 bytes!"),
                 {forwarded("POST /", "a", "", "Content-Length: 8\r\n", "8 bytes!")}),
      },
      small);
  SECTION("a request line of 8000 bytes is none of these") {
    const std::string target = "/" + std::string(7980, 'x');
    TestLoop loop;
    RecordingBackend backend(loop);
    ProxyFixture proxy(loop, backend.endpoint());
    const auto row = passes("", line("GET " + target + " HTTP/1.1"), {forwarded("GET " + target, "a")});
    check_request(loop, backend, proxy, row, {1, 4096, 7999, row.bytes.size()});
  }
}

}  // namespace probegate::test
