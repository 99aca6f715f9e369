#include "checks/url.h"

#include <catch2/catch.hpp>

namespace probegate::checks {

TEST_CASE("A URL comes apart into its parts") {
  const auto url = parse_url("REDISS://app%40x:p%3A%40ss@[2001:db8::1]:6380/2?a=b#c");
  REQUIRE(url);
  CHECK(url->scheme == "rediss");
  CHECK(url->user == "app@x");
  CHECK(url->password == "p:@ss");
  CHECK(url->raw_password == "p%3A%40ss");
  CHECK(url->host == "2001:db8::1");
  CHECK(url->port == 6380);
  CHECK(url->target == "/2?a=b");
  CHECK(url->authority() == "[2001:db8::1]:6380");
}

TEST_CASE("What a URL leaves out has a default") {
  const auto url = parse_url("ws://host");
  REQUIRE(url);
  CHECK_FALSE(url->user);
  CHECK_FALSE(url->password);
  CHECK(url->target == "/");
  CHECK(url->authority() == "host");
  CHECK(url->endpoint(80) == Endpoint::tcp("host", 80));
  CHECK(parse_url("ws://host?x=1")->target == "/?x=1");
  CHECK(parse_url("redis://:secret@host")->user == "");
  CHECK(parse_url("redis://user:with@at@host")->host == "host");
}

TEST_CASE("A wrong URL is told without repeating it") {
  for (const char* text : {"", "host:1", "://host", "ws://", "ws://:80", "ws://host:0", "ws://host:65536",
                           "ws://host:", "ws://host:8x", "ws://[::1", "ws://[::1]x", "ws://u:s3cret%@host",
                           "ws://u%zz@host", "ws://ho st/", "ws://host/a\r\nb"}) {
    const auto url = parse_url(text);
    INFO(text);
    REQUIRE_FALSE(url);
    CHECK(url.error().message.find("s3cret") == std::string::npos);
  }
}

}  // namespace probegate::checks
