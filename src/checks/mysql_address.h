// Where a MySQL or MariaDB server is and who we are, from whatever URL people write. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/redaction.h"
#include "base/result.h"

namespace probegate::checks {

struct MysqlAddress {
  Endpoint endpoint;
  std::string user;
  std::string password;
  std::string database;  // empty: none
  bool tls = false;      // asked for by a parameter
  bool verify = false;   // what TLS then verifies
  std::optional<std::string> ca_file;
  std::optional<std::string> cert_file;
  std::optional<std::string> key_file;
  Secrets secrets;  // as they were written
};

// The error repeats nothing of the text but the name of a parameter.
Result<MysqlAddress> read_mysql_address(std::string_view text);

}  // namespace probegate::checks
