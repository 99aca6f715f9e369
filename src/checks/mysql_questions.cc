#include "checks/mysql_questions.h"

#include "base/text.h"

namespace probegate::checks {
namespace {

std::string value_of(const MysqlVariables& variables, const std::string& name) {
  const auto found = variables.find(name);
  return found == variables.end() ? "" : found->second;
}

bool is_on(const std::string& value) { return !value.empty() && !iequals(value, "OFF") && value != "0"; }

std::string quoted_name(const std::string& name) { return "`" + name + "`"; }  // it has no backtick

}  // namespace

const char* const kMysqlServerQuery =
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', 'innodb_read_only', "
    "'tx_read_only', 'transaction_read_only', 'wsrep_on', 'wsrep_provider', 'wsrep_reject_queries')";
const char* const kMysqlSessionQuery =
    "SHOW SESSION VARIABLES WHERE Variable_name IN ('tx_read_only', 'transaction_read_only')";
const char* const kMysqlGaleraQuery =
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_ready', 'wsrep_cluster_status')";

std::string mysql_literal(const std::string& text) { return "_utf8mb4 x'" + hex(text) + "'"; }

// One lookup for each spelling, because only a comparison with constants avoids a scan of all tables.
std::string mysql_tables_query(const std::vector<MysqlSettings::Table>& tables) {
  std::string sql;
  const auto look_up = [&](std::size_t i, const std::string& schema, const std::string& name) {
    sql += (sql.empty() ? "" : " UNION ALL ") + std::string("SELECT ") + std::to_string(i) +
           ", TABLE_SCHEMA, TABLE_NAME, @@lower_case_table_names FROM information_schema.TABLES"
           " WHERE TABLE_SCHEMA = " +
           mysql_literal(schema) + " AND TABLE_NAME = " + mysql_literal(name);
  };
  for (std::size_t i = 0; i < tables.size(); ++i) {
    look_up(i, tables[i].schema, tables[i].name);
    if (const auto& folded = tables[i].folded; folded != tables[i].name) look_up(i, tables[i].schema, folded);
  }
  return sql;
}

std::string mysql_spelling_query(const MysqlSettings::Table& table) {
  return "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = " +
         mysql_literal(table.schema) + " AND LOWER(TABLE_NAME) = LOWER(" + mysql_literal(table.name) +
         ") ORDER BY TABLE_NAME LIMIT 3";
}

std::string mysql_readable_query(const std::string& schema, const std::string& name) {
  return "SELECT 1 FROM " + quoted_name(schema) + "." + quoted_name(name) + " LIMIT 0";
}

std::optional<std::string> read_only_problem(const MysqlVariables& server, const MysqlVariables& session) {
  std::string on;
  for (const char* name :
       {"innodb_read_only", "read_only", "super_read_only", "transaction_read_only", "tx_read_only"}) {
    if (is_on(value_of(server, name))) on += (on.empty() ? "" : ", ") + std::string(name);
  }
  if (!on.empty()) return "the server is read-only (" + on + ")";
  for (const char* name : {"transaction_read_only", "tx_read_only"}) {
    if (is_on(value_of(session, name))) return "the session is read-only (" + std::string(name) + ")";
  }
  return std::nullopt;
}

bool is_galera_node(const MysqlVariables& server) {
  const auto provider = value_of(server, "wsrep_provider");
  return is_on(value_of(server, "wsrep_on")) && !provider.empty() && provider != "none";
}

std::optional<std::string> galera_problem(const MysqlVariables& server, const MysqlVariables& status) {
  const auto rejects = value_of(server, "wsrep_reject_queries");
  if (!rejects.empty() && rejects != "NONE") {
    return "the Galera node rejects queries (wsrep_reject_queries=" + rejects + ")";
  }
  const auto ready = value_of(status, "wsrep_ready");
  const auto cluster = value_of(status, "wsrep_cluster_status");
  const std::string told = " (wsrep_ready=" + ready + ", wsrep_cluster_status=" + cluster + ")";
  if (!is_on(ready)) return "the Galera node is not ready" + told;
  if (cluster != "Primary") return "the Galera node is not in the primary component" + told;
  return std::nullopt;
}

}  // namespace probegate::checks
