// The postgres check's configuration: libpq's keywords, the hosts apart, and what to ask. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/redaction.h"
#include "checks/postgres_address.h"
#include "config/fields.h"

namespace probegate::checks {

struct PostgresHost {
  std::string name;     // a host name, an address, or the directory of a unix socket
  std::string look_up;  // what to resolve; empty: a unix socket
  std::uint16_t port = 0;
  bool is_socket() const { return look_up.empty(); }
};

struct PostgresSettings {
  PostgresParameters parameters;  // without host, hostaddr, port and target_session_attrs
  std::vector<PostgresHost> hosts;
  std::string session_attrs = "any";     // target_session_attrs
  std::vector<std::string> search_path;  // of the address; empty: the role's own
  Secrets written;                       // of the address, as it was written
  std::vector<std::string> tables;
  std::optional<std::string> query;
  std::optional<std::string> expect;
  bool writable = false;

  Secrets secrets() const;
  std::string target() const;
  std::string search_path_sql() const;  // "app", "public"
};

PostgresSettings read_postgres_settings(const config::Fields& fields);

}  // namespace probegate::checks
