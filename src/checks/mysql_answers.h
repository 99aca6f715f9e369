// What one attempt of a mysql check brought, and what it means. Pure; no libmariadb.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checks/mysql_questions.h"
#include "health/check_result.h"

namespace probegate::checks {

struct MysqlAnswers {
  struct Table {
    std::optional<MysqlSettings::Table> found;  // as the server spells it
    bool readable = true;
    std::string instead;  // other spellings
  };

  explicit MysqlAnswers(const MysqlSettings& s) : settings(s), tables(s.tables.size()) {}

  // A row of mysql_tables_query().
  void take_table(const std::string& number, const std::string& schema, const std::string& name, bool exact);

  // Nothing when all is well. `looked`: the questions about tables have been answered.
  std::optional<health::CheckResult> problem(bool looked) const;
  // Nothing when every table is there and readable.
  std::optional<health::CheckResult> tables_problem() const;
  // Whether the server, or the session as it was at its login, takes no writes, and should.
  std::optional<std::string> role_problem() const;

  const MysqlSettings& settings;
  std::vector<Table> tables;
  MysqlVariables server;
  MysqlVariables session;  // of a new one, before we changed it
  MysqlVariables galera;
  std::optional<std::string> value;  // first field of the first row of the query
  std::size_t rows = 0;              // of the query
  std::optional<health::CheckResult> error;
};

}  // namespace probegate::checks
