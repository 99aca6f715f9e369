#include "proto/ws_handshake.h"

#include <catch2/catch.hpp>
#include <string>

#include "proto/http_parser.h"

using namespace probegate::proto;

namespace {

const std::string kKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const std::string kVersion = "Sec-WebSocket-Version: 13\r\n";

// The head is kept by the parser, hence both together.
struct Request {
  explicit Request(const std::string& fields) {
    const std::string bytes =
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + fields + "\r\n";
    std::span<const char> input(bytes);
    REQUIRE(parser.feed(input) == HttpParser::Event::head);
  }
  int status() const {
    const auto error = check_upgrade_request(parser.request());
    if (error) CHECK(error->detail != "");
    return error ? error->status : 101;
  }
  HttpParser parser{HttpParser::Role::request, {}};
};

const std::string kSwitching = "HTTP/1.1 101 Switching Protocols\r\n";
const std::string kUpgrade = "Upgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n";
const std::string kAccept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

// Empty when the answer is right.
std::string verdict(const std::string& answer, const std::string& offered_fields = "") {
  const Request request(kKey + kVersion + offered_fields);
  HttpParser parser(HttpParser::Role::response, {});
  const std::string bytes = answer + "\r\n";
  std::span<const char> input(bytes);
  REQUIRE(parser.feed(input) == HttpParser::Event::head);
  return check_upgrade_response(parser.response(), OfferedHandshake::of(request.parser.request()))
      .value_or("");
}

}  // namespace

TEST_CASE("The accept value is the one of RFC 6455 section 1.3") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("An accept value does not depend on the keys before it") {
  CHECK(websocket_accept("x3JJHMbDL1EzLkh9GBhXDw==") == "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("A key is 16 bytes in base64") {
  const std::array<unsigned char, 16> random{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  CHECK(websocket_key(random) == "AQIDBAUGBwgJCgsMDQ4PEA==");
  CHECK(Request("Sec-WebSocket-Key: " + websocket_key(random) + "\r\n" + kVersion).status() == 101);
}

TEST_CASE("An upgrade request needs one key and version 13") {
  CHECK(Request(kKey + kVersion).status() == 101);
  CHECK(Request(kVersion).status() == 400);
  CHECK(Request(kKey + kKey + kVersion).status() == 400);
  CHECK(Request("Sec-WebSocket-Key:\r\n" + kVersion).status() == 400);
  CHECK(Request("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ\r\n" + kVersion).status() == 400);
  CHECK(Request("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=A\r\n" + kVersion).status() == 400);
  CHECK(Request("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n" + kVersion).status() == 400);
  CHECK(Request("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q==\r\n" + kVersion).status() == 400);
  CHECK(Request(kKey).status() == 400);
  CHECK(Request(kKey + kVersion + kVersion).status() == 400);
  CHECK(Request(kKey + "Sec-WebSocket-Version: 8\r\n").status() == 426);
  CHECK(Request(kKey + "Sec-WebSocket-Version: 13, 8\r\n").status() == 426);
}

TEST_CASE("A right 101 is accepted") {
  CHECK(verdict(kSwitching + kUpgrade + kAccept) == "");
  CHECK(verdict(kSwitching + kUpgrade + kAccept + "Sec-WebSocket-Protocol: b\r\n",
                "Sec-WebSocket-Protocol: a, b\r\n") == "");
  CHECK(verdict(kSwitching + kUpgrade + kAccept + "Sec-WebSocket-Protocol: b\r\n",
                "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n") == "");
  CHECK(
      verdict(kSwitching + kUpgrade + kAccept + "Sec-WebSocket-Extensions: Permessage-Deflate; x=1\r\n",
              "Sec-WebSocket-Extensions: foo; a=\"b, c\", permessage-deflate; client_max_window_bits\r\n") ==
      "");
}

TEST_CASE("A wrong 101 is refused, with the reason") {
  CHECK(verdict("HTTP/1.1 200 OK\r\n" + kUpgrade + kAccept) == "status 200 instead of 101");
  CHECK(verdict("HTTP/1.0 101 Switching Protocols\r\n" + kUpgrade + kAccept) == "a 101 in HTTP/1.0");
  CHECK(verdict(kSwitching + kAccept) == "Upgrade is not websocket");
  CHECK(verdict(kSwitching + "Upgrade: websocket\r\n" + kAccept) == "Connection does not name Upgrade");
  CHECK(verdict(kSwitching + "Connection: Upgrade\r\nUpgrade: h2c\r\n" + kAccept) ==
        "Upgrade is not websocket");
  CHECK(verdict(kSwitching + kUpgrade) == "not exactly one Sec-WebSocket-Accept");
  CHECK(verdict(kSwitching + kUpgrade + kAccept + kAccept) == "not exactly one Sec-WebSocket-Accept");
  CHECK(verdict(kSwitching + kUpgrade + "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") ==
        "Sec-WebSocket-Accept does not match the key");
  CHECK(verdict(kSwitching + kUpgrade + kAccept + "Sec-WebSocket-Protocol: a\r\n") ==
        "the subprotocol \"a\" was not offered");
  CHECK(verdict(kSwitching + kUpgrade + kAccept + "Sec-WebSocket-Protocol: A\r\n",
                "Sec-WebSocket-Protocol: a\r\n") == "the subprotocol \"A\" was not offered");
  CHECK(
      verdict(kSwitching + kUpgrade + kAccept + "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n",
              "Sec-WebSocket-Protocol: a, b\r\n") == "two Sec-WebSocket-Protocol fields");
  CHECK(verdict(kSwitching + kUpgrade + kAccept + "Sec-WebSocket-Extensions: x-webkit, bar\r\n",
                "Sec-WebSocket-Extensions: x-webkit\r\n") == "the extension \"bar\" was not offered");
}
