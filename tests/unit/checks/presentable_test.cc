#include "checks/presentable.h"

#include <catch2/catch.hpp>

namespace probegate::checks {

TEST_CASE("A message is one line without secrets and control characters") {
  CHECK(presentable(" one\r\n\ttwo \x1b[31mred\x7f ", {}) == "one two [31mred");
  CHECK(presentable("password hunter22 refused, hunter22!", {"hunter22"}) == "password *** refused, ***!");
}

TEST_CASE("Bytes of a peer that are no UTF-8 are replaced") {
  CHECK(presentable("ERR \xff\xfe no", {}) == "ERR \xef\xbf\xbd\xef\xbf\xbd no");
  CHECK(presentable("gr\xc3\xbc\xc3\x9f"
                    "e",
                    {}) ==
        "gr\xc3\xbc\xc3\x9f"
        "e");
}

TEST_CASE("A message is cut between two characters") {
  std::string long_text;
  for (int i = 0; i < 300; ++i) long_text += "\xc3\xbc";
  const auto shown = presentable("x" + long_text, {});
  CHECK(shown.size() < 510);
  CHECK(shown.ends_with("\xc3\xbc..."));
}

TEST_CASE("A secret at the cut does not survive in part") {
  for (std::size_t before = 487; before <= 500; ++before) {
    const auto shown = presentable(std::string(before, 'x') + "correct-horse", {"correct-horse"});
    CHECK(shown.find_first_not_of("x*.") == std::string::npos);
  }
}

TEST_CASE("A peer's words are quoted and short") {
  CHECK(quoted("PANG") == "\"PANG\"");
  CHECK(quoted(std::string(200, 'y')).size() < 90);
}

}  // namespace probegate::checks
