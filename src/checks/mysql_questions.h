// What a mysql check asks, as SQL, and what a server's variables mean. Pure; no libmariadb.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "checks/mysql_settings.h"

namespace probegate::checks {

using MysqlVariables = std::map<std::string, std::string>;  // names in small letters

// A text as a literal, whatever the session's sql_mode says of backslashes.
std::string mysql_literal(const std::string& text);

// One row for each table that is found: its number, schema and name, and @@lower_case_table_names.
std::string mysql_tables_query(const std::vector<MysqlSettings::Table>& tables);
// The names in the schema that differ from this one in capitals only. Walks through the schema.
std::string mysql_spelling_query(const MysqlSettings::Table& table);
// Fails where the table is not there, or not readable; reads nothing.
std::string mysql_readable_query(const std::string& schema, const std::string& name);

// Every variable that read_only_problem() and galera_problem() judge; as little as one statement can ask.
extern const char* const kMysqlServerQuery;
// Before the session is made read-only by us.
extern const char* const kMysqlSessionQuery;
extern const char* const kMysqlGaleraQuery;

std::optional<std::string> read_only_problem(const MysqlVariables& server, const MysqlVariables& session);
// Whether the server is a node of a Galera cluster, and what is wrong with it: a node that serves nobody
// still answers SHOW, information_schema and SELECT 1.
bool is_galera_node(const MysqlVariables& server);
std::optional<std::string> galera_problem(const MysqlVariables& server, const MysqlVariables& status);

}  // namespace probegate::checks
