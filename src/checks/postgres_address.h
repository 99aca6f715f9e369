// Reads the address and credentials of a PostgreSQL server from URLs of any driver and from keyword strings.
// The result is libpq's keywords; libpq itself parses no address. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/redaction.h"
#include "base/result.h"

namespace probegate::checks {

using PostgresParameters = std::map<std::string, std::string>;  // libpq's keywords

struct PostgresAddress {
  PostgresParameters parameters;         // host and port as lists for libpq
  std::vector<std::string> search_path;  // empty: the default of the role
  Secrets secrets;                       // as written in the address
};

// The error repeats only names of parameters from the text.
Result<PostgresAddress> read_postgres_address(std::string_view text);

}  // namespace probegate::checks
