// Configuration mistakes of the grpc and mysql checks; what they do with real servers is in tests/system.
#include <catch2/catch.hpp>

#include "tests/component/checks/check_fixture.h"

namespace probegate::test {
TEST_CASE("gRPC check tells what is wrong with its configuration") {
  check_mistakes(checks::read_grpc, "grpc",
                 {{"service: x", "url: is missing"},
                  {"url: 'http://h:1'", "must start with grpc://, grpcs:// or unix:/"},
                  {"url: 'grpc://h'", "the port is missing"},
                  {"url: 'grpc://u:t0p@h:1'", "cannot have a user or password; use headers"},
                  {"url: 'grpc://h:1/chat.Rules'", "set the key service"},
                  {"url: 'unix:here'", "unix:/absolute/path"},
                  {"url: 'grpc://h:1', service: '" + std::string(1001, 'x') + "'", "longer than 1000 bytes"},
                  {"url: 'grpc://h:1', headers: {'a b': c}", "not a valid header name"}});
  CHECK(read_check(checks::read_grpc, "grpc", "url: 'grpcs://rules:443'").plan.target == "rules:443");
}

TEST_CASE("MySQL check tells what is wrong with its configuration and never the password") {
  if (read_check(checks::read_mysql, "mysql", "url: 'mysql://h/d'").problems.size() == 1)
    return;  // a build without
  check_mistakes(
      checks::read_mysql, "mysql",
      {{"writable: true", "url: is missing; set url, or host with port, user, password and dbname"},
       {"url: 'postgres://u:t0p@h/d'", "must start with mysql:// or mariadb://"},
       {"url: 'mysql://u:t0p@h:99999/d'", "port must be a number"},
       {"url: 'mysql://u:t0p@h/a/b'", "the path must be a database name"},
       {"url: 'mysql://u:t0p@h/d?ssl-mode=VERIFY_CA'", "ca_file"},
       {"url: 'mysql://u:t0p@h/d', user: x", "url is set too"},
       {"url: 'mysql://u:t0p@h/', tables: [users]", "has no schema, and no database is set"},
       {"url: 'mysql://u:t0p@h/d', tables: [a.b.c]", "is not a table name"},
       {"url: 'mysql://u:t0p@h/d', tables: ['a`b']", "is not a table name"},
       {"url: 'mysql://u:t0p@h/d', query: ' '", "is empty"},
       {"url: 'mysql://u:t0p@h/d', expect: x", "needs a query"},
       {"host: /run/mysqld/mysqld.sock, tls: {}", "a unix socket has no host name to verify"}});
  const auto target = [](const std::string& keys) {
    return read_check(checks::read_mysql, "mysql", keys).plan.target;
  };
  CHECK(target("url: 'mysql+pymysql://u:t0p@db/shop?charset=utf8mb4'") == "db:3306/shop");
  CHECK(target("url: 'mysql://u@h/shop?socket=/run/mysqld.sock'") == "unix:/run/mysqld.sock/shop");
  CHECK(target("host: '::1', port: 3307") == "[::1]:3307");
}

}  // namespace probegate::test
