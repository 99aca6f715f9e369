// Reads the address and credentials of a Redis server from URLs of any client and from socket paths. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/url.h"

namespace probegate::checks {

struct RedisAddress {
  Url url;           // hosts and path: /0, or the name of a master
  std::string mode;  // what follows the + of the scheme: "sentinel", "cluster", ""
  bool tls = false;
  std::string socket;  // the path of a unix socket; empty: the hosts of the URL
  std::string user;
  std::optional<std::string> password;  // empty: a user without a password
  std::optional<int> database;          // of ?db=
  std::optional<bool> verify;           // of ?ssl_cert_reqs=
  std::optional<std::string> ca_file;   // of ?ssl_ca_certs=
  std::optional<std::string> cert_file;
  std::optional<std::string> key_file;
};

// The error repeats only names of parameters from the text.
Result<RedisAddress> read_redis_address(std::string_view text);

}  // namespace probegate::checks
