// The postgres check's configuration: libpq's keywords, the hosts apart, and what to ask. Pure.
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
  std::string look_up;  // what to resolve; empty: a unix socket
  std::uint16_t port = 0;
  bool is_socket() const { return look_up.empty(); }
};

struct PostgresSettings : DatabaseQuery {
  PostgresParameters parameters;  // without host, hostaddr, port and target_session_attrs
  std::vector<PostgresHost> hosts;
  std::string session_attrs = "any";         // target_session_attrs
  Duration connect_limit = Duration::max();  // connect_timeout, for each address
  std::vector<std::string> search_path;      // of the address; empty: the role's own
  Secrets written;                           // of the address, as it was written
  std::vector<PostgresTable> tables;
  bool user_by_key = false;  // and not in the URL, of which nothing about the user is shown
  Duration max_session{};

  // Whether a session must be of some kind, and what is wrong with one.
  bool asks_for_role() const;
  std::optional<std::string> role_problem(bool standby, bool read_only) const;
  // Which database it is, where none is named and the server does not know it. Empty: one is named.
  std::string unnamed_database() const;
  Secrets secrets() const;
  std::string target() const;
  std::string search_path_sql() const;  // "app", "public"
};

PostgresSettings read_postgres_settings(const config::CheckSpec& spec);

}  // namespace probegate::checks
