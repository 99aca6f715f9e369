#include "checks/expected_value.h"

#include <catch2/catch.hpp>

namespace probegate::checks {
namespace {

std::string judged(const std::string& expect, const std::optional<std::string>& value, bool has_row = true) {
  const auto made = ExpectedValue::parse(expect);
  if (!made) return "refused: " + made.error().message;
  return made->complaint(has_row, value).value_or("holds");
}

}  // namespace

TEST_CASE("A plain text is compared as a text") {
  CHECK(judged("42", "42") == "holds");
  CHECK(judged("42", "42.0") == R"(the query gave "42.0", expected "42")");
  CHECK(judged("42", std::nullopt) == R"(the query gave NULL, expected "42")");
  CHECK(judged("42", std::nullopt, false) == R"(the query gave no row, expected "42")");
}

TEST_CASE("A condition is judged as one of expect_json") {
  CHECK(judged(">= 42", "42") == "holds");
  CHECK(judged(">= 42", "100") == "holds");  // as numbers, not as texts
  CHECK(judged(">= 42", "41") == R"(the query gave "41", expected >= 42)");
  CHECK(judged(">= 42", "abc") == R"(the query gave "abc", expected >= 42)");
  CHECK(judged(">= 42", std::nullopt) == "the query gave NULL, expected >= 42");
  CHECK(judged(">= 42", std::nullopt, false) == "the query gave no row, expected >= 42");
  CHECK(judged("< 1.5", "-2") == "holds");
  CHECK(judged("!= pending", "done") == "holds");
  CHECK(judged("!= pending", "pending") == R"(the query gave "pending", expected != pending)");
  CHECK(judged("== 20240101", "20240101") == "holds");
  CHECK(judged("== ok", "ok") == "holds");
  CHECK(judged("contains ready", "nearly ready") == "holds");
  CHECK(judged("exists", "") == "holds");
  CHECK(judged("exists", std::nullopt) == "the query gave NULL, expected exists");
}

TEST_CASE("A condition that cannot be is refused") {
  CHECK(judged(">= abc", "1") == "refused: >= compares numbers only");
  CHECK(judged(">=", "1") == "refused: nothing to compare with after >=");
}

TEST_CASE("A boolean that is written otherwise by the database gets a hint") {
  CHECK(judged("true", "t") == R"(the query gave "t", expected "true"; the database writes true as t)");
  CHECK(judged("false", "f").ends_with("the database writes false as f"));
  CHECK(judged("true", "1").ends_with("the database writes true as 1"));
  CHECK(judged("== true", "t").ends_with("the database writes true as t"));
  CHECK(judged("true", "f") == R"(the query gave "f", expected "true")");
}

}  // namespace probegate::checks
