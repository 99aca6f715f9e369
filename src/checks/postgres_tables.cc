#include "checks/postgres_tables.h"

#include <algorithm>

#include "base/text.h"

namespace probegate::checks {
namespace {

bool starts_identifier(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool continues_identifier(char c) { return starts_identifier(c) || (c >= '0' && c <= '9') || c == '$'; }

// Takes one identifier from the front; empty if there is none.
std::optional<PostgresTable::Part> take_part(std::string_view& text) {
  if (!text.starts_with('"')) {
    if (text.empty() || !starts_identifier(text.front())) return std::nullopt;
    const auto end = std::find_if_not(text.begin(), text.end(), continues_identifier);
    const std::string exact(text.begin(), end);
    text.remove_prefix(exact.size());
    return PostgresTable::Part{exact, to_lower(exact)};
  }
  std::string name;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') {
      if (!text.substr(at).starts_with("\"\"")) {
        text.remove_prefix(at + 1);
        return name.empty() ? std::nullopt : std::optional(PostgresTable::Part{name, name});
      }
      ++at;
    }
    name += text[at];
  }
  return std::nullopt;  // unterminated
}

std::string name_literal(const std::optional<std::string>& text) {
  return text ? postgres_literal(*text) + "::pg_catalog.name" : "NULL::pg_catalog.name";
}

constexpr const char* kWanted =
    "SELECT wanted.i, best.readable IS NOT NULL,"
    " CASE WHEN best.readable IS NULL THEN"
    "  (SELECT pg_catalog.string_agg(spelling, ', ') FROM"
    "   (SELECT CASE WHEN wanted.schema IS NULL AND pg_catalog.pg_table_is_visible(c.oid) THEN ''"
    "     ELSE pg_catalog.quote_ident(n.nspname) || '.' END || pg_catalog.quote_ident(c.relname) AS spelling"
    "    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "    WHERE pg_catalog.lower(c.relname::pg_catalog.text) = pg_catalog.lower(wanted.name::pg_catalog.text)"
    "     AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    "     AND (wanted.schema IS NULL OR"
    "      pg_catalog.lower(n.nspname::pg_catalog.text) = pg_catalog.lower(wanted.schema::pg_catalog.text))"
    "    ORDER BY pg_catalog.pg_table_is_visible(c.oid) DESC, 1 LIMIT 3) AS others) END"
    " FROM (VALUES ";
constexpr const char* kFound =
    ") AS wanted (i, schema, schema_folded, name, name_folded) LEFT JOIN LATERAL"
    " (SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE')"
    "   AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT') AS readable"
    "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  WHERE c.relname IN (wanted.name, wanted.name_folded) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    "   AND CASE WHEN wanted.schema IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)"
    "    ELSE n.nspname IN (wanted.schema, wanted.schema_folded) END"
    "  ORDER BY 1 DESC LIMIT 1) AS best ON true"
    " WHERE best.readable IS NOT TRUE ORDER BY wanted.i";

}  // namespace

std::optional<PostgresTable> parse_postgres_table(std::string_view written) {
  std::string_view rest = written;
  auto first = take_part(rest);
  if (!first) return std::nullopt;
  if (rest.empty()) return PostgresTable{std::string(written), std::nullopt, *std::move(first)};
  if (!rest.starts_with('.')) return std::nullopt;
  rest.remove_prefix(1);
  auto second = take_part(rest);
  if (!second || !rest.empty()) return std::nullopt;
  return PostgresTable{std::string(written), std::move(first), *std::move(second)};
}

std::string postgres_literal(std::string_view text) {
  std::string literal = "E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') literal += c;
    literal += c;
  }
  return literal + "'";
}

std::string postgres_tables_query(const std::vector<PostgresTable>& tables) {
  std::string sql = kWanted;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const auto& [written, schema, name] = tables[i];
    const auto exact = schema ? std::optional(schema->exact) : std::nullopt;
    const auto folded = schema ? std::optional(schema->folded) : std::nullopt;
    sql += (i > 0 ? ", (" : "(") + std::to_string(i) + ", " + name_literal(exact) + ", " +
           name_literal(folded) + ", " + name_literal(name.exact) + ", " + name_literal(name.folded) + ")";
  }
  return sql + kFound;
}

}  // namespace probegate::checks
