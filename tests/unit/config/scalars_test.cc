#include "config/scalars.h"

#include <catch2/catch.hpp>

#include "base/text.h"

namespace probegate::config {
namespace {

using namespace std::chrono_literals;

TEST_CASE("Durations take falling units, each once, and nothing else") {
  CHECK(parse_duration("0") == Duration{0});
  CHECK(parse_duration("0s") == Duration{0});
  CHECK(parse_duration("250ms") == Duration{250ms});
  CHECK(parse_duration("2s") == Duration{2s});
  CHECK(parse_duration("5m") == Duration{5min});
  CHECK(parse_duration("1h") == Duration{1h});
  CHECK(parse_duration("1m30s") == Duration{90s});
  CHECK(parse_duration("1h1m1s1ms") == Duration{1h + 1min + 1s + 1ms});
  CHECK(parse_duration("8760h") == kMaxDuration);
  for (const auto* wrong : {"", "5", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1s1m", "1s1s", "1d", "1S",
                            "ms", "s1", "8760h1ms", "99999999999999999999s", "1ms1", "1e3s", "0x1s"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_duration(wrong));
  }
}

TEST_CASE("Every duration that is printed is read back as itself") {
  for (const Duration duration : {Duration{0}, Duration{1ms}, Duration{999ms}, Duration{1001ms},
                                  Duration{90s}, Duration{1h + 1ms}, Duration{620s}, kMaxDuration}) {
    CHECK(parse_duration(format_duration(duration)) == duration);
  }
}

TEST_CASE("Sizes take bytes, KiB, MiB and GiB, and nothing else") {
  CHECK(parse_size("0") == 0u);
  CHECK(parse_size("512") == 512u);
  CHECK(parse_size("64KiB") == 65536u);
  CHECK(parse_size("1MiB") == 1048576u);
  CHECK(parse_size("1GiB") == 1073741824u);
  for (const auto* wrong : {"", "KiB", "1KB", "1k", "1kib", "1 MiB", "-1", "1.5MiB", "1TiB", "1B", "1MiB1",
                            "99999999999GiB", "18446744073709551616"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_size(wrong));
  }
}

TEST_CASE("Every size that is printed is read back as itself") {
  for (const std::uint64_t size :
       {0ull, 1ull, 1023ull, 1024ull, 1025ull, 1048576ull, 3221225472ull, 1ull << 50}) {
    CHECK(parse_size(format_size(size)) == size);
  }
  CHECK(format_size(65536) == "64KiB");
}

TEST_CASE("Integers have no leading zeros, signs of plus, or other bases") {
  CHECK(parse_integer("0") == 0);
  CHECK(parse_integer("-12") == -12);
  CHECK(parse_integer("9223372036854775807") == 9223372036854775807);
  for (const auto* wrong :
       {"", "-", "010", "-01", "+1", "1_000", "0x10", "1.0", "1e3", " 1", "--1", "9223372036854775808"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_integer(wrong));
  }
}

TEST_CASE("Only true and false are booleans") {
  CHECK(parse_boolean("true") == true);
  CHECK(parse_boolean("false") == false);
  for (const auto* wrong : {"", "yes", "no", "on", "off", "True", "TRUE", "1", "0", "y"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_boolean(wrong));
  }
}

TEST_CASE("Networks are IPv4 or IPv6 without host bits; a bare address is one host") {
  const auto v4 = parse_cidr("10.32.0.0/11");
  REQUIRE(v4);
  CHECK_FALSE(v4->v6);
  CHECK(v4->prefix == 11);
  CHECK(v4->address[0] == 10);
  CHECK(v4->address[1] == 32);
  const auto v6 = parse_cidr("::1/128");
  REQUIRE(v6);
  CHECK(v6->v6);
  CHECK(v6->address[15] == 1);
  CHECK(parse_cidr("192.0.2.7")->prefix == 32);
  CHECK(parse_cidr("fe80::")->prefix == 128);
  CHECK(parse_cidr("0.0.0.0/0")->prefix == 0);
  for (const auto* wrong : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.1/8", "::1/64",
                            "10.0.0/8", "10.0.0.0/8/8", "host/8", "10.0.0.0/-1", "::ffff:1.2.3.4/0"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_cidr(wrong));
  }
}

TEST_CASE("A backend is http on a host and port, or a unix socket") {
  const auto plain = parse_backend("http://app:8000/");
  REQUIRE(plain);
  CHECK(plain->endpoint == Endpoint::tcp("app", 8000));
  CHECK(plain->authority == "app:8000");
  CHECK(parse_backend("http://app")->endpoint == Endpoint::tcp("app", 80));
  CHECK(parse_backend("http://app")->authority == "app");
  CHECK(parse_backend("http://[::1]:80")->endpoint == Endpoint::tcp("::1", 80));
  CHECK(parse_backend("http://[::1]")->endpoint == Endpoint::tcp("::1", 80));
  CHECK(parse_backend("unix:/run/app.sock")->endpoint == Endpoint::unix_socket("/run/app.sock"));
  CHECK(parse_backend("unix:/run/app.sock")->authority == "localhost");
  CHECK(parse_backend("https://app").error().message.find("https is not supported for the backend") == 0);
  for (const auto* wrong : {"", "app:8000", "http://", "http:///", "http://app:0", "http://app:65536",
                            "http://u@app", "http://app/path", "http://app?q", "http://app#f", "ws://app",
                            "unix:app.sock", "http://::1:80", "http://a b"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_backend(wrong));
  }
}

}  // namespace
}  // namespace probegate::config
