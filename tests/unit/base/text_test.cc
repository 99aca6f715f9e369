#include "base/text.h"

#include <catch2/catch.hpp>

using namespace probegate;
using namespace std::chrono_literals;

TEST_CASE("Letters are compared and lowered as ASCII, other bytes as they are") {
  CHECK(iequals("Content-LENGTH", "content-length"));
  CHECK_FALSE(iequals("content-length", "content-lengt"));
  CHECK_FALSE(iequals("[", "{"));        // differ by 0x20 and are no letters
  CHECK_FALSE(iequals("\xc4", "\xe4"));  // Latin-1 A and a with dots
  CHECK(to_lower("AbZ[@\xc4") == "abz[@\xc4");
}

TEST_CASE("Two texts of one length are equal when each pair of bytes is, whatever their length and place") {
  const auto same = [](char a, char b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(a) == lower(b);
  };
  for (std::size_t size = 1; size <= 20; ++size) {
    for (std::size_t place = 0; place < size; ++place) {
      std::string a(size, 'x'), b(size, 'X');
      int wrong = 0;
      for (int left = 0; left < 256; ++left) {
        for (const int right : {left, left ^ 0x20, left ^ 0x80, left ^ 1, left + 1}) {
          a[place] = static_cast<char>(left);
          b[place] = static_cast<char>(right);
          wrong += iequals(a, b) != same(a[place], b[place]) ? 1 : 0;
        }
      }
      INFO("of " << size << " bytes, the one at " << place);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("Trim takes spaces and tabs off both ends only") {
  CHECK(trim(" \t a b\t ") == "a b");
  CHECK(trim(" \t ").empty());
  CHECK(trim("").empty());
  CHECK(trim("\na\n") == "\na\n");
}

TEST_CASE("Split keeps empty parts, so that n separators give n + 1 parts") {
  using Parts = std::vector<std::string_view>;
  CHECK(split("a,b", ',') == Parts{"a", "b"});
  CHECK(split(",a,", ',') == Parts{"", "a", ""});
  CHECK(split("", ',') == Parts{""});
}

TEST_CASE("A list contains a token whatever its case, and never a part of one") {
  CHECK(list_contains("keep-alive, Upgrade", "upgrade"));
  CHECK(list_contains("\tUPGRADE\t,", "upgrade"));
  CHECK(list_contains(", ,upgrade", "upgrade"));
  CHECK_FALSE(list_contains("upgrade-insecure-requests", "upgrade"));
  CHECK_FALSE(list_contains("up, grade", "upgrade"));
  CHECK_FALSE(list_contains("", "upgrade"));
}

TEST_CASE("A decimal is digits from end to end and fits its type") {
  CHECK(parse_decimal<std::uint16_t>("0") == 0);
  CHECK(parse_decimal<std::uint16_t>("00080") == 80);
  CHECK(parse_decimal<std::uint64_t>("18446744073709551615") == UINT64_MAX);
  for (const auto* text : {"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "65536", "\xd9\xa1"}) {
    CHECK_FALSE(parse_decimal<std::uint16_t>(text));
  }
  CHECK_FALSE(parse_decimal<std::uint64_t>("18446744073709551616"));
  CHECK_FALSE(parse_decimal<int>("-1"));
}

TEST_CASE("Times are written in UTC with milliseconds") {
  CHECK(iso8601(WallTime(1'795'435'200s + 123ms)) == "2026-11-23T12:00:00.123Z");
  CHECK(iso8601(WallTime(0s)) == "1970-01-01T00:00:00.000Z");
  CHECK(iso8601(WallTime(1'709'164'799s + 999ms + 999us)) == "2024-02-28T23:59:59.999Z");
  CHECK(iso8601(WallTime(1'709'164'800s)) == "2024-02-29T00:00:00.000Z");
}

TEST_CASE("A time that was written is read again, and no other form of one is") {
  const std::string written = "2026-11-23T12:00:00.123Z";
  REQUIRE(parse_iso8601(written).has_value());
  CHECK(iso8601(*parse_iso8601(written)) == written);
  for (std::size_t size = 0; size < written.size(); ++size)
    CHECK_FALSE(parse_iso8601(written.substr(0, size)));
  for (const char* other :
       {"2026-11-23T12:00:00.1234", "2026-11-23 12:00:00.123Z", "2026-11-23T12:00:00.123z",
        "2026-11-23T12:00:00.1x3Z", "2026-13-23T12:00:00.123Z", "2026-11-23T12:00:00.123ZZ"})
    CHECK_FALSE(parse_iso8601(other));
}

TEST_CASE("Bytes are written as two hexadecimal digits each") {
  CHECK(hex("") == "");
  CHECK(hex(std::string_view("\x00\x0f\xf0\xff", 4)) == "000ff0ff");
}

TEST_CASE("Durations are written as the configuration reads them") {
  CHECK(format_duration(0s) == "0s");
  CHECK(format_duration(250ms) == "250ms");
  CHECK(format_duration(2s) == "2s");
  CHECK(format_duration(90s) == "1m30s");
  CHECK(format_duration(1h) == "1h");
  CHECK(format_duration(25h + 1ms) == "25h1ms");
}

TEST_CASE("A secret equals itself and nothing that begins, ends or repeats like it") {
  CHECK(equal_in_constant_time("geheim", "geheim"));
  CHECK(equal_in_constant_time("", ""));
  for (const char* given : {"", "g", "gehei", "geheimx", "xgeheim", "geheimgeheim", "GEHEIM", "geheiM"}) {
    CHECK_FALSE(equal_in_constant_time(given, "geheim"));
  }
  CHECK_FALSE(equal_in_constant_time("x", ""));
}
