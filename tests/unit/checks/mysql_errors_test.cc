#include "checks/mysql_errors.h"

#include <catch2/catch.hpp>

namespace probegate::checks {

using health::FailKind;
using health::Verdict;

TEST_CASE("MySQL errors have the kind of what they mean, the server's and the library's own") {
  const std::pair<unsigned, FailKind> cases[] = {
      {1045, FailKind::auth},     {1698, FailKind::auth},     {1130, FailKind::auth},
      {3118, FailKind::auth},     {4151, FailKind::auth},     {2059, FailKind::auth},
      {1044, FailKind::config},   {1049, FailKind::config},   {1142, FailKind::config},
      {1040, FailKind::connect},  {1053, FailKind::connect},  {1129, FailKind::connect},
      {1203, FailKind::connect},  {1226, FailKind::connect},  {2002, FailKind::connect},
      {2003, FailKind::connect},  {2006, FailKind::connect},  {2013, FailKind::connect},
      {1043, FailKind::protocol}, {2007, FailKind::protocol}, {2020, FailKind::protocol},
      {2027, FailKind::protocol}, {2026, FailKind::tls},      {1969, FailKind::timeout},
      {3024, FailKind::timeout},  {1290, FailKind::answer},   {1792, FailKind::answer},
      {1064, FailKind::answer},   {1146, FailKind::answer},
  };
  for (const auto& [code, kind] : cases) {
    CAPTURE(code);
    const auto result = mysql_failure(code, "words");
    CHECK(result.verdict == Verdict::fail);
    CHECK(result.error->kind == kind);
    CHECK(result.error->message == "words (" + std::to_string(code) + ")");
  }
  // Without TLS this login would send the password as it is: ours is the clearer word.
  const auto clear = mysql_failure(5010, "words");
  CHECK(clear.error->kind == FailKind::auth);
  CHECK(clear.error->message == "words (5010): it may send the password in plain text");
  for (const unsigned ours : {2001u, 2004u, 2008u})
    CHECK(mysql_failure(ours, "").verdict == Verdict::inconclusive);
}

TEST_CASE("MySQL errors of the library are told from the server's, whose numbers go on beyond them") {
  for (const unsigned code : {1045u, 1969u, 3024u, 4151u}) CHECK_FALSE(is_library_error(code));
  for (const unsigned code : {2002u, 2013u, 2026u, 5010u}) CHECK(is_library_error(code));
}

}  // namespace probegate::checks
