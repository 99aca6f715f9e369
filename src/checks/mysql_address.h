// Reads the address and credentials of a MySQL or MariaDB server from a URL in any common form. Pure.
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
  bool tls = false;      // requested by a parameter
  bool verify = false;   // whether TLS verifies the server
  std::optional<std::string> ca_file;
  std::optional<std::string> cert_file;
  std::optional<std::string> key_file;
  Secrets secrets;  // as written in the URL
};

// The error repeats only names of parameters from the text.
Result<MysqlAddress> read_mysql_address(std::string_view text);

}  // namespace probegate::checks
