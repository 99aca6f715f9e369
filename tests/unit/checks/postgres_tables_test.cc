#include "checks/postgres_tables.h"

#include <catch2/catch.hpp>

namespace probegate::checks {

TEST_CASE("A table's name is read as PostgreSQL reads it, and its capitals are kept beside") {
  const auto plain = parse_postgres_table("Users");
  REQUIRE(plain);
  CHECK_FALSE(plain->schema);
  CHECK(plain->name.exact == "Users");
  CHECK(plain->name.folded == "users");
  const auto quoted = parse_postgres_table(R"("My.Schema"."Say ""hi""")");
  REQUIRE(quoted);
  CHECK(quoted->schema->exact == "My.Schema");
  CHECK(quoted->schema->folded == "My.Schema");
  CHECK(quoted->name.exact == R"(Say "hi")");
  const auto mixed = parse_postgres_table("App.\"Order\"");
  REQUIRE(mixed);
  CHECK(mixed->schema->folded == "app");
  CHECK(mixed->name.folded == "Order");
  CHECK(mixed->written == "App.\"Order\"");
}

TEST_CASE("What is no table's name is refused") {
  for (const char* name : {"", "2fa_codes", "a b", "a.b.c", "a.", ".a", "a..b", "\"\"", "\"open", "a\"b\"",
                           "a;drop", "a-b", "\"a\"b", "'a'"}) {
    INFO(name);
    CHECK_FALSE(parse_postgres_table(name));
  }
  CHECK(parse_postgres_table("_a$1"));
  CHECK(parse_postgres_table("größe"));
}

TEST_CASE("A literal holds any text") {
  CHECK(postgres_literal("plain") == "E'plain'");
  CHECK(postgres_literal(R"(it's \ x)") == R"(E'it''s \\ x')");
}

}  // namespace probegate::checks
