// The required tables of a postgres check: their names as a user writes them, and the statement that looks
// for them. Pure; no libpq.
//
// Looked up in the catalog and not by to_regclass(), which ends the whole statement where the user may not
// look into a schema, and would hide which other tables are missing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace probegate::checks {

// "name" or "schema.name", each part plain or in double quotes. A plain part with capitals may mean two
// names: as it is written, and in small letters, as PostgreSQL reads it.
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

// A text as a literal of SQL, without standard_conforming_strings having a say.
std::string postgres_literal(std::string_view text);

// Gives a row for each table that is not there or not readable: its number, whether it is there ("t", "f"),
// and what is there instead, in another spelling or schema.
std::string postgres_tables_query(const std::vector<PostgresTable>& tables);

}  // namespace probegate::checks
