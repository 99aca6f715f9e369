// What a backend may answer, row by row of RFC 9112 sections 4 to 8 and RFC 9110 sections 7, 8 and 15:
// exactly these bytes reach the client, or a complete 502 does. Whole, and cut at every byte.
#include "conformance.h"
#include "support/fake_peer.h"

namespace probegate::test {
namespace {

using namespace std::string_literals;

const std::string kStatus = "HTTP/1.1 200 OK\r\n";
const std::string kVia = "Via: 1.1 probegate\r\n";
const std::string kStays = "Connection: keep-alive\r\n";
const std::string kCloses = "Connection: close\r\n";
const std::string kHead = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kGet10 = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
const std::string kGetTrailers = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n";
const std::string kChunked = "Transfer-Encoding: chunked\r\n";

AnswerRow bad(std::string sentence, std::string bytes) {
  return {std::move(sentence), kGet, std::move(bytes), "", Then::fin, true};
}
// Its head and what came of its body go on, and then the client sees that something is missing.
AnswerRow cut_short(std::string sentence, const std::string& framing, const std::string& body,
                    const std::string& right) {
  return {std::move(sentence),
          kGet,
          kStatus + framing + "\r\n" + body,
          kStatus + kVia + framing + kStays + "\r\n" + right,
          Then::fin,
          true};
}

}  // namespace

TEST_CASE("An answer that two readers would read in two ways becomes a 502") {
  check_answers({
      bad("another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
      bad("an empty line in front", "\r\n" + kStatus + "Content-Length: 0\r\n\r\n"),
      bad("HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n"),
      bad("status 99", "HTTP/1.1 99 Odd\r\n\r\n"),
      bad("status 099", "HTTP/1.1 099 Odd\r\n\r\n"),
      bad("two spaces in front of the status", "HTTP/1.1  200 OK\r\n\r\n"),
      bad("an LF alone", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"),
      bad("an LF alone ends the head", kStatus + "Content-Length: 0\r\n\n"),
      bad("a CR alone in a value", kStatus + "X: a\rb\r\nContent-Length: 0\r\n\r\n"),
      bad("NUL in a value", kStatus + "X: a\0b\r\nContent-Length: 0\r\n\r\n"s),
      bad("obs-fold", kStatus + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
      bad("CL and TE", kStatus + "Content-Length: 3\r\n" + kChunked + "\r\n0\r\n\r\n"),
      bad("two CL", kStatus + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
      bad("CL that is no number", kStatus + "Content-Length: x\r\n\r\n"),
      bad("CL of 2^64", kStatus + "Content-Length: 18446744073709551616\r\n\r\n"),
      bad("TE twice", kStatus + kChunked + kChunked + "\r\n0\r\n\r\n"),
      bad("TE gzip, chunked, which nobody asked for",
          kStatus + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
      bad("TE in HTTP/1.0", "HTTP/1.0 200 OK\r\n" + kChunked + "\r\n0\r\n\r\n"),
      bad("a 101 that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
      bad("a head that breaks off, and the connection with it", kStatus + "Content-Le"),
  });
}

TEST_CASE("An answer's body ends where its status, its fields and the request say") {
  const std::string length3 = "Content-Length: 3\r\n";
  check_answers({
      {"a length", kGet, kStatus + length3 + "\r\nabc", kStatus + kVia + length3 + kStays + "\r\nabc"},
      {"no length: until the connection ends", kGet, kStatus + "\r\nabc",
       kStatus + kVia + kCloses + "\r\nabc", Then::fin, true},
      {"HTTP/1.0 from the backend", kGet, "HTTP/1.0 200 OK\r\n\r\nabc",
       kStatus + "Via: 1.0 probegate\r\n" + kCloses + "\r\nabc", Then::fin, true},
      {"HEAD with a length", kHead, kStatus + length3 + "\r\n", kStatus + kVia + length3 + kStays + "\r\n"},
      {"HEAD with TE", kHead, kStatus + kChunked + "\r\n", kStatus + kVia + kStays + "\r\n"},
      {"204", kGet, "HTTP/1.1 204 No Content\r\n\r\n",
       "HTTP/1.1 204 No Content\r\n" + kVia + kStays + "\r\n"},
      {"204 that announces a body", kGet, "HTTP/1.1 204 No Content\r\n" + length3 + "\r\n",
       "HTTP/1.1 204 No Content\r\n" + kVia + kStays + "\r\n"},
      {"304 with a length", kGet, "HTTP/1.1 304 Not Modified\r\n" + length3 + "\r\n",
       "HTTP/1.1 304 Not Modified\r\n" + kVia + length3 + kStays + "\r\n"},
      {"an unknown status", kGet, "HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n",
       "HTTP/1.1 299 Odd\r\n" + kVia + "Content-Length: 0\r\n" + kStays + "\r\n"},
      {"a status of no class", kGet, "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
       "HTTP/1.1 999 Odd\r\n" + kVia + "Content-Length: 0\r\n" + kStays + "\r\n"},
      {"HTTP/1.2", kGet, "HTTP/1.2 200 OK\r\n" + length3 + "\r\nabc",
       kStatus + kVia + length3 + kStays + "\r\nabc"},
      {"a blank in front of the colon", kGet,
       kStatus + "X-XSS-Protection : 1\r\nContent-Length\t: 3\r\n\r\nabc",
       kStatus + "X-XSS-Protection: 1\r\n" + kVia + length3 + kStays + "\r\nabc"},
      {"TE identity, and a length", kGet, kStatus + "Transfer-Encoding: identity\r\n" + length3 + "\r\nabc",
       kStatus + kVia + length3 + kStays + "\r\nabc"},
      {"TE identity, and a length, to HEAD", kHead,
       kStatus + "Transfer-Encoding: identity\r\n" + length3 + "\r\n",
       kStatus + kVia + length3 + kStays + "\r\n"},
      {"no reason", kGet, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
       "HTTP/1.1 200 \r\n" + kVia + "Content-Length: 0\r\n" + kStays + "\r\n"},
      {"bytes behind the end", kGet, kStatus + length3 + "\r\nabcHTTP/1.1 200 OK\r\n\r\nsmuggled",
       kStatus + kVia + length3 + kStays + "\r\nabc"},
      {"to HTTP/1.0", kGet10, kStatus + length3 + "\r\nabc", kStatus + kVia + length3 + kCloses + "\r\nabc",
       Then::fin},
  });
}

TEST_CASE("Chunks of an answer go on as they came, and to HTTP/1.0 without their framing") {
  const std::string body = "3\r\nabc\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\n";
  const std::string head = kStatus + kVia + kChunked + kStays + "\r\n";
  check_answers({
      {"chunks", kGet, kStatus + kChunked + "\r\n" + body + "\r\n", head + body + "\r\n"},
      {"trailers that were asked for", kGetTrailers,
       kStatus + kChunked + "Trailer: X-Sum\r\n\r\n" + body + "X-Sum: 1\r\n\r\n",
       kStatus + "Trailer: X-Sum\r\n" + kVia + kChunked + kStays + "\r\n" + body + "X-Sum: 1\r\n\r\n"},
      {"trailers that were not", kGet,
       kStatus + kChunked + "Trailer: X-Sum\r\n\r\n" + body + "X-Sum: 1\r\nX-More: 2\r\n\r\n",
       head + body + "\r\n"},
      {"a trailer that belongs into the head, and would not go on", kGet,
       kStatus + kChunked + "\r\n" + body + "Content-Length: 3\r\n\r\n", head + body + "\r\n"},
      {"trailers that are no fields, and would not go on", kGet,
       kStatus + kChunked + "\r\n" + body + "X\r\n\r\n", head + body + "\r\n"},
      {"trailers that end with the connection, and would not go on", kGet,
       kStatus + kChunked + "\r\n" + body + "X: 1\r\n", head + body + "\r\n", Then::open, true},
      {"to HTTP/1.0", kGet10, kStatus + kChunked + "\r\n" + body + "X-Sum: 1\r\n\r\n",
       kStatus + kVia + kCloses + "\r\nabc0123456789", Then::fin},
  });
}

TEST_CASE("An answer that is cut short is seen to be cut short") {
  const std::string length9 = "Content-Length: 9\r\n";
  const std::string until_close_to_10 = kStatus + kVia + kCloses + "\r\n";
  check_answers({
      cut_short("in its length", length9, "abc", "abc"),
      cut_short("in a chunk", kChunked, "9\r\nabc", "9\r\nabc"),
      cut_short("between chunks", kChunked, "3\r\nabc\r\n", "3\r\nabc\r\n"),
      {"in trailers that were asked for", kGetTrailers, kStatus + kChunked + "\r\n3\r\nabc\r\n0\r\nX: 1\r\n",
       kStatus + kVia + kChunked + kStays + "\r\n3\r\nabc\r\n0\r\n", Then::fin, true},
      {"a chunk, to HTTP/1.0", kGet10, kStatus + kChunked + "\r\n9\r\nabc", until_close_to_10 + "abc",
       Then::rst, true},
      {"a length, to HTTP/1.0", kGet10, kStatus + length9 + "\r\nabc",
       kStatus + kVia + length9 + kCloses + "\r\nabc", Then::fin, true},
  });
}

TEST_CASE("Informational answers go on as they come, but never to HTTP/1.0") {
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n";
  const std::string last = kStatus + "Content-Length: 2\r\n\r\nok";
  const std::string last_out = kStatus + kVia + "Content-Length: 2\r\n" + kStays + "\r\nok";
  check_answers({
      {"103", kGet, hints + "\r\n" + last, hints + kVia + "\r\n" + last_out},
      {"102 and 103", kGet, "HTTP/1.1 102 Processing\r\n\r\n" + hints + "\r\n" + last,
       "HTTP/1.1 102 Processing\r\n" + kVia + "\r\n" + hints + kVia + "\r\n" + last_out},
      {"100 that nobody waits for", kGet, "HTTP/1.1 100 Continue\r\n\r\n" + last,
       "HTTP/1.1 100 Continue\r\n" + kVia + "\r\n" + last_out},
      {"103 that frames a body", kGet, hints + kChunked + "Content-Length: 7\r\n\r\n" + last,
       hints + kVia + "\r\n" + last_out},
      {"to HTTP/1.0", kGet10, hints + "\r\n" + last,
       kStatus + kVia + "Content-Length: 2\r\n" + kCloses + "\r\nok", Then::fin},
  });
  SECTION("their number is bounded") {
    std::string many;
    for (int i = 0; i < 17; ++i) many += "HTTP/1.1 103 Early Hints\r\n\r\n";
    TestLoop loop;
    FakePeer backend(loop, {expect("\r\n\r\n"), send(many + last)});
    ProxyFixture proxy(loop, backend.endpoint());
    FakeClient client(loop, proxy.endpoint(), kGet);
    for (int i = 0; i < 16; ++i) CHECK(next_answer(loop, client).status == 103);
    CHECK(next_answer(loop, client).status == 502);
  }
}

TEST_CASE("Of an answer's fields those of its hop stay behind") {
  const std::string length = "Content-Length: 0\r\n";
  check_answers({
      {"fields that Connection names", kGet,
       kStatus + "Connection: keep-alive, X-Private\r\nX-Private: 1\r\nX-Public: 2\r\n" + length + "\r\n",
       kStatus + "X-Public: 2\r\n" + kVia + length + kStays + "\r\n"},
      {"fields that are for one hop by nature", kGet,
       kStatus +
           "Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nProxy-Authenticate: x\r\nUpgrade: h2c\r\nTE: "
           "x\r\nTrailer: X\r\n" +
           length + "\r\n",
       kStatus + kVia + length + kStays + "\r\n"},
      {"the backend's close is not ours", kGet, kStatus + kCloses + length + "\r\n",
       kStatus + kVia + length + kStays + "\r\n"},
      {"the Upgrade that a 426 has to name", kGet,
       "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + length + "\r\n",
       "HTTP/1.1 426 Upgrade Required\r\n" + kVia + length +
           "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n"},
      {"repeated fields stay repeated, in order", kGet,
       kStatus + "Set-Cookie: a\r\nVia: 1.1 inner\r\nset-cookie: b\r\nRetry-After: 3\r\n" + length + "\r\n",
       kStatus + "Set-Cookie: a\r\nVia: 1.1 inner\r\nset-cookie: b\r\nRetry-After: 3\r\n" + kVia + length +
           kStays + "\r\n"},
  });
}

}  // namespace probegate::test
