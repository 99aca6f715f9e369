// The configuration of the postgres check: libpq's keywords, the hosts, and the queries. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/redaction.h"
#include "checks/expected_value.h"
#include "checks/postgres_address.h"
#include "checks/postgres_tables.h"
#include "config/config.h"

namespace probegate::checks {

struct PostgresHost {
  std::string name;     // a host name, an address, or the directory of a unix socket
  std::string look_up;  // name to resolve; empty: a unix socket
  std::uint16_t port = 0;
  bool is_socket() const { return look_up.empty(); }
};

struct PostgresSettings : DatabaseQuery {
  PostgresParameters parameters;  // without host, hostaddr, port and target_session_attrs
  std::vector<PostgresHost> hosts;
  std::string session_attrs = "any";         // target_session_attrs
  Duration connect_limit = Duration::max();  // connect_timeout, for each address
  std::vector<std::string> search_path;      // from the address; empty: the default of the role
  Secrets written;                           // secrets of the address, as written
  std::vector<PostgresTable> tables;
  bool user_by_key = false;  // not in the URL, whose user is never shown
  Duration max_session{};

  // Whether the session must have a role, and the error if it has another.
  bool asks_for_role() const;
  std::optional<std::string> role_problem(bool standby, bool read_only) const;
  // The hint for an unknown database if none is set. Empty: a database is set.
  std::string unnamed_database() const;
  Secrets secrets() const;
  std::string target() const;
  std::string search_path_sql() const;  // "app", "public"
};

PostgresSettings read_postgres_settings(const config::CheckSpec& spec);

}  // namespace probegate::checks
