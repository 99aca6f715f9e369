#include "base/utf8.h"

#include <catch2/catch.hpp>

namespace probegate {
namespace {

TEST_CASE("Valid UTF-8 stays as it is, and every other byte is replaced") {
  CHECK(valid_utf8("plain") == "plain");
  CHECK(valid_utf8("caf\xc3\xa9 \xf0\x9f\x98\x80") == "caf\xc3\xa9 \xf0\x9f\x98\x80");
  CHECK(valid_utf8("a\xff"
                   "b") ==
        "a\xef\xbf\xbd"
        "b");
  CHECK(valid_utf8("\xc3") == "\xef\xbf\xbd");
  CHECK(valid_utf8("\xed\xa0\x80").find('\xed') == std::string::npos);  // a surrogate
  CHECK(valid_utf8("\xc0\xaf").find('/') == std::string::npos);         // an overlong slash
  CHECK(valid_utf8("quote \" and \\ and \n\xfe") == "quote \" and \\ and \n\xef\xbf\xbd");
}

TEST_CASE("A text is cut in front of the character that would not fit") {
  const std::string text = "a\xc3\xa4\xe2\x82\xac";  // 1, 2 and 3 bytes
  const std::size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6};
  for (std::size_t most = 0; most < std::size(kept); ++most) CHECK(cut_utf8(text, most).size() == kept[most]);
}

}  // namespace
}  // namespace probegate
