#include "checks/mysql_answers.h"

#include "base/text.h"

namespace probegate::checks {

using health::CheckResult;
using health::FailKind;

// information_schema compares names case-insensitively, while the server itself may not.
void MysqlAnswers::take_table(const std::string& number, const std::string& schema, const std::string& name,
                              bool exact) {
  const auto i = parse_decimal<std::size_t>(number).value_or(tables.size());
  const auto& wanted = settings.tables.at(i);
  const auto same = [&](const std::string& a, const std::string& b) {
    return exact ? a == b : iequals(a, b);
  };
  if (!same(schema, wanted.schema)) return;
  auto& found = tables.at(i).found;
  if (!same(name, wanted.name) && (found || !same(name, wanted.folded))) return;
  found = wanted;
  found->schema = schema;
  found->name = name;
}

std::optional<std::string> MysqlAnswers::role_problem() const {
  return settings.writable ? read_only_problem(server, session) : std::nullopt;
}

std::optional<CheckResult> MysqlAnswers::problem(bool looked) const {
  // Checked first, because a Galera node that does not serve causes all other errors.
  if (!galera.empty()) {
    if (const auto problem = galera_problem(server, galera))
      return CheckResult::fail(FailKind::answer, *problem);
  }
  // Checked before the query, because a missing table is the likely cause of an error in the query.
  if (looked) {
    if (auto problem = tables_problem()) return problem;
  }
  if (error) return error;
  if (const auto problem = role_problem()) return CheckResult::fail(FailKind::answer, *problem);
  if (!settings.expect) return std::nullopt;
  const auto complaint = settings.expect->complaint(rows > 0, value);
  return complaint ? std::optional(CheckResult::fail(FailKind::answer, *complaint)) : std::nullopt;
}

std::optional<CheckResult> MysqlAnswers::tables_problem() const {
  health::CheckError missing{FailKind::missing_tables, "missing tables: "};
  std::string unreadable;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const auto& name = settings.tables[i].written;
    const auto& [found, readable, instead] = tables[i];
    if (!readable) {
      unreadable += (unreadable.empty() ? "" : ", ") + name;
    } else if (!found) {
      missing.message += (missing.missing.empty() ? "" : ", ") + name;
      if (!instead.empty()) missing.message += " (there is " + instead + ")";
      missing.missing.push_back(name);
    }
  }
  // A user without rights gets the same error for a missing and for an unreadable table.
  if (!unreadable.empty()) unreadable = "missing or not readable by this user: " + unreadable;
  if (missing.missing.empty() && unreadable.empty()) return std::nullopt;
  if (missing.missing.empty()) return CheckResult::fail(FailKind::config, unreadable);
  if (!unreadable.empty()) missing.message += "; " + unreadable;
  return CheckResult::fail(missing);
}

}  // namespace probegate::checks
