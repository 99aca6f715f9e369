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
     "prisma+postgres:// leads to Prisma's proxy, which is no PostgreSQL server; give the "
     "database's own address"},
    {"prisma",
     "prisma:// leads to Prisma's proxy, which is no database server; give the database's own address"},
    {"mysqlx", "mysqlx:// is the X protocol; write mysql:// with the port of the classic one, 3306"},
    {"sqlite", "sqlite is a file and no server; remove the check"},
    {"sqlite3", "sqlite is a file and no server; remove the check"},
    {"redis-tls", "a Redis server with TLS is written rediss://"},
    {"sqlserver", "SQL Server has no check of its own; use type: tcp"},
    {"mssql", "SQL Server has no check of its own; use type: tcp"},
    {"oracle", "Oracle has no check of its own; use type: tcp"},
    {"mongodb", "MongoDB has no check of its own; use type: tcp"},
    {"mongodb+srv", "MongoDB has no check of its own; use type: tcp"},
};

std::string_view without_driver(std::string_view scheme) { return scheme.substr(0, scheme.find('+')); }

// "pdo-mysql", "pdo_pgsql": Doctrine's.
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
  const std::string expected = type == "postgres" ? "starts with postgresql:// or postgres://"
                               : type == "mysql"  ? "starts with mysql:// or mariadb://"
                                                  : "starts with redis://, rediss:// or unix:/";
  const auto other = check_type_of(scheme);
  if (other.empty() || other == type) return expected;
  return expected + "; this is an address for type: " + std::string(other);
}

}  // namespace probegate::config
