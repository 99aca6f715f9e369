// The SQL queries of a mysql check, and the evaluation of server variables. Pure; no libmariadb.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "checks/mysql_settings.h"

namespace probegate::checks {

using MysqlVariables = std::map<std::string, std::string>;  // names in lower case

// A text as an SQL literal that is independent of sql_mode.
std::string mysql_literal(const std::string& text);

// Returns one row for each table found: its number, schema and name, and @@lower_case_table_names.
std::string mysql_tables_query(const std::vector<MysqlSettings::Table>& tables);
// Finds names in the schema that differ only in case. Scans the schema.
std::string mysql_spelling_query(const MysqlSettings::Table& table);
// Fails if the table does not exist or is not readable; reads no rows.
std::string mysql_readable_query(const std::string& schema, const std::string& name);

// Every variable that read_only_problem() and galera_problem() need, in one statement.
extern const char* const kMysqlServerQuery;
// Sent before we make the session read-only.
extern const char* const kMysqlSessionQuery;
extern const char* const kMysqlGaleraQuery;

std::optional<std::string> read_only_problem(const MysqlVariables& server, const MysqlVariables& session);
// Whether the server is a Galera node, and its error: a node that does not serve still answers SHOW,
// information_schema and SELECT 1.
bool is_galera_node(const MysqlVariables& server);
std::optional<std::string> galera_problem(const MysqlVariables& server, const MysqlVariables& status);

}  // namespace probegate::checks
