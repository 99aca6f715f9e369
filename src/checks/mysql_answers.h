// Collects the answers of one attempt of a mysql check and evaluates them. Pure; no libmariadb.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checks/mysql_questions.h"
#include "health/check_result.h"

namespace probegate::checks {

struct MysqlAnswers {
  struct Table {
    std::optional<MysqlSettings::Table> found;  // in the spelling of the server
    bool readable = true;
    std::string instead;  // existing tables with a similar spelling
  };

  explicit MysqlAnswers(const MysqlSettings& s) : settings(s), tables(s.tables.size()) {}

  // A row of mysql_tables_query().
  void take_table(const std::string& number, const std::string& schema, const std::string& name, bool exact);

  // Empty if the attempt passes. `looked`: the queries about tables have been answered.
  std::optional<health::CheckResult> problem(bool looked) const;
  // Empty if every table exists and is readable.
  std::optional<health::CheckResult> tables_problem() const;
  // The error if writes are required but the server, or the session at its login, is read-only.
  std::optional<std::string> role_problem() const;

  const MysqlSettings& settings;
  std::vector<Table> tables;
  MysqlVariables server;
  MysqlVariables session;  // of a new session, before our own settings
  MysqlVariables galera;
  std::optional<std::string> value;  // first field of the first row of the query
  std::size_t rows = 0;              // of the query
  std::optional<health::CheckResult> error;
};

}  // namespace probegate::checks
