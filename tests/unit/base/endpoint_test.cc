#include "base/endpoint.h"

#include <catch2/catch.hpp>

using probegate::Endpoint;

namespace {

std::string error_of(std::string_view text) {
  const auto parsed = Endpoint::parse(text);
  return parsed ? "(accepted as " + parsed->to_string() + ")" : parsed.error().message;
}

}  // namespace

TEST_CASE("Endpoint reads its three forms") {
  CHECK(Endpoint::parse("0.0.0.0:8080").value() == Endpoint::tcp("0.0.0.0", 8080));
  CHECK(Endpoint::parse("db.internal:0").value() == Endpoint::tcp("db.internal", 0));
  CHECK(Endpoint::parse("[::1]:65535").value() == Endpoint::tcp("::1", 65535));
  CHECK(Endpoint::parse("[fe80::1%eth0]:80").value() == Endpoint::tcp("fe80::1%eth0", 80));
  CHECK(Endpoint::parse("unix:/run/gate.sock").value() == Endpoint::unix_socket("/run/gate.sock"));
}

TEST_CASE("Endpoint prints the form it reads") {
  for (const auto* text :
       {"127.0.0.1:1", "[2001:db8::7]:443", "unix:/cloudsql/p:r:i/.s.PGSQL.5432", "a-b.c:0"}) {
    CHECK(Endpoint::parse(text).value().to_string() == text);
  }
}

TEST_CASE("Endpoint names what is wrong with a text it refuses") {
  CHECK(error_of("") == "expected host:port, [v6]:port or unix:/path");
  CHECK(error_of("localhost") == "expected host:port, [v6]:port or unix:/path");
  CHECK(error_of(":8080") == "the host is missing; expected host:port, [v6]:port or unix:/path");
  CHECK(error_of("[]:80") == "brackets are only for IPv6 addresses");
  CHECK(error_of("[localhost]:80") == "brackets are only for IPv6 addresses");
  CHECK(error_of("[::1]") == "an IPv6 address is written [address]:port");
  CHECK(error_of("::1:80") == "an IPv6 address is written [address]:port");
  CHECK(error_of("http://localhost:80") == "expected host:port without a scheme");
  CHECK(error_of("user@host:80") == "the host is not a valid name or address");
  CHECK(error_of("a b:80") == "the host is not a valid name or address");
}

TEST_CASE("Endpoint takes a port from 0 to 65535 and nothing that only looks like one") {
  for (const auto* port :
       {"", "65536", "-1", "+80", " 80", "80 ", "0x50", "80/path", "8080x", "99999999999"}) {
    CHECK(error_of(std::string("localhost:") + port) == "the port must be a number from 0 to 65535");
  }
}

TEST_CASE("Endpoint holds a unix path to what the kernel takes") {
  const std::string longest = "/" + std::string(106, 'x');
  CHECK(Endpoint::parse("unix:" + longest).value().path == longest);
  CHECK(error_of("unix:" + longest + "x") ==
        "the path of a unix socket is at most 107 bytes, this one has 108");
  CHECK(error_of("unix:") == "a unix socket is written unix:/absolute/path");
  CHECK(error_of("unix:run/gate.sock") == "a unix socket is written unix:/absolute/path");
}
