// Upgrades and what runs through them, row by row of RFC 6455 sections 4 and 5: only a right request meets a
// right 101, frames pass as they came wherever they are cut, and a broken rule ends the tunnel with its code.
#include "conformance.h"
#include "open_tunnel.h"

namespace probegate::test {
namespace {

using namespace std::string_literals;
using Frames = std::vector<std::string>;

const std::string kKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const std::string kVersion = "Sec-WebSocket-Version: 13\r\n";
const std::string kAccept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
const std::string kUpgradeLines = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

std::string upgrade(const std::string& connection, const std::string& more,
                    const std::string& line = "GET /") {
  return line + " HTTP/1.1\r\nHost: a\r\n" + connection + more + "\r\n";
}
std::string right(const std::string& more = "") { return upgrade(kUpgradeLines, kKey + kVersion + more); }
std::string right_on(const std::string& more = "") {
  return forwarded("GET /", "a", kKey + kVersion + more, kUpgradeLines);
}
std::string switching(const std::string& fields) {
  return "HTTP/1.1 101 Switching Protocols\r\n" + fields + "\r\n";
}

// An upgrade that the backend answers with 200: plain HTTP, and nothing behind it is anybody's.
RequestRow turned_down(std::string sentence, const std::string& bytes, const std::string& on) {
  return passes(std::move(sentence), bytes + kSmuggled, {on}, false);
}
AnswerRow wrong(std::string sentence, const std::string& fields, const std::string& request = right()) {
  return {std::move(sentence), request, switching(fields) + text(From::backend, "smuggled"), ""};
}
AnswerRow opens(std::string sentence, const std::string& fields, const std::string& fields_on = kAccept,
                const std::string& request = right()) {
  const std::string first = text(From::backend, "first");
  return {std::move(sentence), request, switching(fields) + first,
          switching(fields_on + "Via: 1.1 probegate\r\n" + kUpgradeLines) + first};
}

}  // namespace

TEST_CASE("A handshake is whole and right before the backend hears of it") {
  check_requests({
      {"by POST", upgrade(kUpgradeLines, kKey + kVersion, "POST /")},
      {"by HEAD", upgrade(kUpgradeLines, kKey + kVersion, "HEAD /")},
      {"with a body of known length",
       upgrade(kUpgradeLines, kKey + kVersion + "Content-Length: 5\r\n") + "hello"},
      {"with a body in chunks",
       upgrade(kUpgradeLines, kKey + kVersion + "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n"},
      {"without a host", "GET / HTTP/1.1\r\n" + kUpgradeLines + kKey + kVersion + "\r\n"},
      {"without a key", upgrade(kUpgradeLines, kVersion)},
      {"with two keys", upgrade(kUpgradeLines, kKey + kKey + kVersion)},
      {"with a key of 15 bytes",
       upgrade(kUpgradeLines, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n" + kVersion)},
      {"with a key that is not base64",
       upgrade(kUpgradeLines, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q==\r\n" + kVersion)},
      {"without a version", upgrade(kUpgradeLines, kKey)},
      {"with version 8", upgrade(kUpgradeLines, kKey + "Sec-WebSocket-Version: 8\r\n"), 426},
  });
}

TEST_CASE("An upgrade is one only by Connection and Upgrade together, in HTTP/1.1, to websocket") {
  const std::string plain_on = forwarded("GET /", "a", kKey + kVersion);
  check_requests({
      turned_down("as RFC 6455 shows it", right(), right_on()),
      turned_down("in other cases", upgrade("connection: UPGRADE\r\nupgrade: WebSocket\r\n", kKey + kVersion),
                  right_on()),
      turned_down("as one option of several",
                  upgrade("Connection: keep-alive, Upgrade\r\nUpgrade: h2c, websocket\r\n", kKey + kVersion),
                  right_on()),
      turned_down(
          "over several lines",
          upgrade("Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
                  kKey + kVersion),
          right_on()),
      turned_down(
          "offers go on as they came",
          right("Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\nOrigin: "
                "http://x\r\n"),
          right_on("Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\nOrigin: "
                   "http://x\r\n")),
      passes("Upgrade that Connection does not name", upgrade("Upgrade: websocket\r\n", kKey + kVersion),
             {plain_on}),
      passes("Connection without Upgrade", upgrade("Connection: Upgrade\r\n", kKey + kVersion), {plain_on}),
      passes("to h2c", upgrade("Connection: Upgrade\r\nUpgrade: h2c\r\n", kKey + kVersion), {plain_on}),
      passes("to h2c with a body",
             upgrade("Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n", "") + "hi",
             {forwarded("GET /", "a", "", "Content-Length: 2\r\n", "hi")}),
      passes("in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n" + kUpgradeLines + kKey + kVersion + "\r\n",
             {forwarded("GET /", "a", kKey + kVersion, "", "", 0)}, false),
  });
}

TEST_CASE("Only a right 101 opens a tunnel, and what is glued to it comes first") {
  const std::string lines = kUpgradeLines;
  const std::string offers =
      right("Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\n");
  check_answers({
      opens("as RFC 6455 shows it", lines + kAccept),
      opens("in other cases", "upgrade: WebSocket\r\nCONNECTION: upgrade\r\n" + kAccept),
      opens("with an offered subprotocol", lines + kAccept + "Sec-WebSocket-Protocol: b\r\n",
            kAccept + "Sec-WebSocket-Protocol: b\r\n", offers),
      opens("with an offered extension",
            lines + kAccept + "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n",
            kAccept + "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n", offers),
      opens("with a transfer coding, which a 101 cannot have",
            lines + kAccept + "Transfer-Encoding: chunked\r\n"),
      opens("with a length, which a 101 cannot have", lines + kAccept + "Content-Length: 10\r\n"),
      opens("with both, and blanks in front of colons",
            lines + kAccept + "Content-Length : 1\r\nTransfer-Encoding : x\r\n"),
      wrong("without Upgrade", "Connection: Upgrade\r\n" + kAccept),
      wrong("without Connection", "Upgrade: websocket\r\n" + kAccept),
      wrong("to another protocol", "Connection: Upgrade\r\nUpgrade: h2c\r\n" + kAccept),
      wrong("without an accept value", lines),
      wrong("with two accept values", lines + kAccept + kAccept),
      wrong("with another key's accept value",
            lines + "Sec-WebSocket-Accept: t3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
      wrong("with a subprotocol that was not offered", lines + kAccept + "Sec-WebSocket-Protocol: c\r\n",
            offers),
      wrong("with a subprotocol where none was offered", lines + kAccept + "Sec-WebSocket-Protocol: a\r\n"),
      wrong("with an extension that was not offered",
            lines + kAccept + "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
  });
}

TEST_CASE("An answer other than 101 is plain HTTP and the last one of its connection") {
  const std::string tail = "Via: 1.1 probegate\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
  check_answers({
      {"401", right(), "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 2\r\n\r\nno",
       "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n" + tail, Then::fin},
      {"426", right(), "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno",
       "HTTP/1.1 426 Upgrade Required\r\n" + tail, Then::fin},
      {"200 with the fields of a 101", right(),
       "HTTP/1.1 200 OK\r\n" + kUpgradeLines + kAccept + "Content-Length: 2\r\n\r\nno",
       "HTTP/1.1 200 OK\r\n" + kAccept + tail, Then::fin},
      {"an informational answer in front of the 101", right(),
       "HTTP/1.1 103 Early Hints\r\n\r\n" + switching(kUpgradeLines + kAccept),
       "HTTP/1.1 103 Early Hints\r\nVia: 1.1 probegate\r\n\r\n" +
           switching(kAccept + "Via: 1.1 probegate\r\n" + kUpgradeLines)},
  });
}

}  // namespace probegate::test
