// The required tables of a postgres check: parsing of their names, and the statement that looks for them.
// Pure; no libpq.
//
// Uses the catalog and not to_regclass(), which fails the whole statement if the user has no rights on a
// schema, and would hide which other tables are missing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace probegate::checks {

// "name" or "schema.name", each part plain or in double quotes. A plain part with capitals may mean two
// names: as written, and in lower case as PostgreSQL reads it.
struct PostgresTable {
  struct Part {
    std::string exact;
    std::string folded;  // the same for a quoted one
  };
  std::string written;
  std::optional<Part> schema;  // none: by the search path
  Part name;
};

std::optional<PostgresTable> parse_postgres_table(std::string_view written);

// A text as an SQL literal that is independent of standard_conforming_strings.
std::string postgres_literal(std::string_view text);

// Returns a row for each table that is missing or not readable: its number, whether it exists ("t", "f"), and
// similar names in another spelling or schema.
std::string postgres_tables_query(const std::vector<PostgresTable>& tables);

}  // namespace probegate::checks
