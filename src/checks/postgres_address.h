// Where a PostgreSQL server is and who we are, from whatever people write: URLs of every driver, keyword
// strings. What comes out are libpq's keywords; libpq itself reads no address. Pure.
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
  PostgresParameters parameters;         // host and port as libpq's lists
  std::vector<std::string> search_path;  // empty: the role's own
  Secrets secrets;                       // as they were written
};

// The error repeats nothing of the text but the name of a parameter.
Result<PostgresAddress> read_postgres_address(std::string_view text);

}  // namespace probegate::checks
