#include "config/schemes.h"

#include <algorithm>

#include "base/text.h"

namespace probegate::config {
namespace {

struct Scheme {
  std::string_view name;
  std::string_view type;
};

constexpr Scheme kSchemes[] = {
    {"postgres", "postgres"},  {"postgresql", "postgres"},  {"postgis", "postgres"},
    {"pgsql", "postgres"},     {"pgx", "postgres"},         {"pgx5", "postgres"},
    {"ecto", "postgres"},      {"cockroachdb", "postgres"}, {"cockroach", "postgres"},
    {"timescale", "postgres"}, {"timescaledb", "postgres"}, {"mysql", "mysql"},
    {"mysql2", "mysql"},       {"mysqlgis", "mysql"},       {"mariadb", "mysql"},
    {"redis", "redis"},        {"rediss", "redis"},         {"valkey", "redis"},
    {"valkeys", "redis"},      {"keydb", "redis"},          {"keydbs", "redis"},
};

struct Foreign {
  std::string_view scheme;
  std::string_view why;
};

constexpr Foreign kForeign[] = {
    {"prisma+postgres",
     "prisma+postgres:// is the address of Prisma's proxy, not of a PostgreSQL server; use the "
     "database's own address"},
    {"prisma",
     "prisma:// is the address of Prisma's proxy, not of a database server; use the database's own address"},
    {"mysqlx", "mysqlx:// is the X protocol; use mysql:// with the port of the classic protocol, 3306"},
    {"sqlite", "SQLite is a file, not a server; remove the check"},
    {"sqlite3", "SQLite is a file, not a server; remove the check"},
    {"redis-tls", "a Redis server with TLS is written rediss://"},
    {"sqlserver", "there is no check type for SQL Server; use type: tcp"},
    {"mssql", "there is no check type for SQL Server; use type: tcp"},
    {"oracle", "there is no check type for Oracle; use type: tcp"},
    {"mongodb", "there is no check type for MongoDB; use type: tcp"},
    {"mongodb+srv", "there is no check type for MongoDB; use type: tcp"},
};

std::string_view without_driver(std::string_view scheme) { return scheme.substr(0, scheme.find('+')); }

// Doctrine's "pdo-mysql" and "pdo_pgsql".
std::string_view without_pdo(std::string_view scheme) {
  return scheme.starts_with("pdo-") || scheme.starts_with("pdo_") ? scheme.substr(4) : scheme;
}

}  // namespace

std::string_view check_type_of(std::string_view scheme) {
  const auto lower = to_lower(scheme);
  if (lower.starts_with("prisma+")) return "";
  const auto name = without_pdo(without_driver(lower));
  const auto found = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                  [&](const Scheme& one) { return one.name == name; });
  return found == std::end(kSchemes) ? std::string_view() : found->type;
}

std::string_view check_type_of_address(std::string_view text) {
  const auto lower = to_lower(text);
  std::string_view rest = lower;
  if (rest.starts_with("jdbc:")) rest.remove_prefix(5);
  const auto scheme = rest.substr(0, rest.find(':'));
  if (scheme.size() < rest.size()) {
    if (const auto type = check_type_of(scheme); !type.empty()) return type;
  }
  if (lower.find("@tcp(") != lower.npos || lower.find("@unix(") != lower.npos) return "mysql";
  const bool list = lower.find(';') != lower.npos && lower.find('=') != lower.npos;
  if (list && (lower.find("uid=") != lower.npos || lower.find("port=3306") != lower.npos)) return "mysql";
  return "";
}

std::string wrong_scheme(std::string_view scheme, std::string_view type) {
  for (const auto& [foreign, why] : kForeign) {
    if (iequals(foreign, scheme)) return std::string(why);
  }
  const std::string expected = type == "postgres" ? "must start with postgresql:// or postgres://"
                               : type == "mysql"  ? "must start with mysql:// or mariadb://"
                                                  : "must start with redis://, rediss:// or unix:/";
  const auto other = check_type_of(scheme);
  if (other.empty() || other == type) return expected;
  return expected + "; this is an address for type: " + std::string(other);
}

}  // namespace probegate::config
