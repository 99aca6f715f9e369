// The configuration of the mysql check: address, credentials and queries. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/redaction.h"
#include "checks/expected_value.h"
#include "config/config.h"
#include "loop/tls.h"

namespace probegate::checks {

struct MysqlSettings : DatabaseQuery {
  struct Table {
    std::string written;  // as in the configuration
    std::string schema;
    std::string name;
    std::string folded;  // in lower case, unless it is quoted
  };

  Endpoint endpoint;
  Secrets written;  // secrets of the address, as written
  std::string user;
  std::string password;
  std::string database;  // empty: none
  std::optional<loop::TlsSettings> tls;
  std::string authorities;  // CA file
  int min_days_left = 0;
  std::vector<Table> tables;
  Duration timeout{};
  Duration max_session{};

  Secrets secrets() const;
  std::string target() const;
};

MysqlSettings read_mysql_settings(const config::CheckSpec& spec);

}  // namespace probegate::checks
