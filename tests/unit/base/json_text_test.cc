#include "base/json_text.h"

#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "base/utf8.h"

namespace probegate {
namespace {

std::string as_json(std::string_view text) {
  std::string out;
  append_json_text(out, text);
  return out;
}

std::string number(double value) {
  std::string out;
  append_json_number(out, value);
  return out;
}

TEST_CASE("A text is escaped as JSON wants it") {
  CHECK(as_json("") == R"("")");
  CHECK(as_json("caf\xc3\xa9 \xf0\x9f\x98\x80") == "\"caf\xc3\xa9 \xf0\x9f\x98\x80\"");
  CHECK(as_json("\" \\ \b\f\n\r\t \x01\x1f") == R"("\" \\ \b\f\n\r\t \u0001\u001f")");
  CHECK(as_json(std::string_view("\0", 1)) == R"("\u0000")");
  CHECK(as_json("a\xff\xc3") == "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST_CASE("Whatever bytes a text has, it is the JSON that a library writes") {
  std::mt19937 random(7);  // the same texts in every run
  // Bytes at which the rules of UTF-8 change, so that characters come about as well as pieces of them.
  const std::string bytes(
      "\0\x1f \"\\az\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5\xff", 25);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 7, ' ');
    for (char& c : text) c = bytes[random() % bytes.size()];
    const auto document = nlohmann::json(text);
    const std::string expected = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    INFO("round " << round << ": " << nlohmann::json::binary({text.begin(), text.end()}));
    REQUIRE(as_json(text) == expected);
    REQUIRE(valid_utf8(text) == nlohmann::json::parse(expected).get<std::string>());
  }
}

TEST_CASE("A number is written as JSON") {
  for (const double value : {0.0, 1.0, -1.5, 15.41, 0.001, 123456.789, 1e300, 1e-7}) {
    INFO(number(value));
    CHECK(nlohmann::json::parse(number(value)).get<double>() == value);
    CHECK(nlohmann::json::parse(number(value)).is_number_float());
  }
  CHECK(number(15.41) == "15.41");
  CHECK(number(2) == "2.0");
  CHECK(number(std::numeric_limits<double>::infinity()) == "null");
  CHECK(number(std::numeric_limits<double>::quiet_NaN()) == "null");
}

}  // namespace
}  // namespace probegate
