#include "checks/mysql_questions.h"

#include <catch2/catch.hpp>

namespace probegate::checks {

TEST_CASE("A server is read-only by any of its variables, a session by its own") {
  CHECK_FALSE(read_only_problem({}, {}));
  CHECK_FALSE(read_only_problem({{"read_only", "OFF"}, {"super_read_only", "0"}}, {{"tx_read_only", "OFF"}}));
  CHECK(read_only_problem({{"read_only", "ON"}}, {}) == "the server is read-only (read_only)");
  CHECK(read_only_problem({{"read_only", "ON"}, {"tx_read_only", "1"}}, {}) ==
        "the server is read-only (read_only, tx_read_only)");
  CHECK(read_only_problem({{"read_only", "OFF"}}, {{"transaction_read_only", "ON"}}) ==
        "the session is read-only (transaction_read_only)");
}

TEST_CASE("A Galera node is one with a provider") {
  CHECK_FALSE(is_galera_node({}));
  CHECK_FALSE(is_galera_node({{"wsrep_on", "OFF"}, {"wsrep_provider", "/lib/galera.so"}}));
  CHECK_FALSE(is_galera_node({{"wsrep_on", "ON"}, {"wsrep_provider", "none"}}));
  CHECK(is_galera_node({{"wsrep_on", "ON"}, {"wsrep_provider", "/lib/galera.so"}}));
}

TEST_CASE("A Galera node that serves nobody is told with its reason") {
  const MysqlVariables well = {{"wsrep_ready", "ON"}, {"wsrep_cluster_status", "Primary"}};
  CHECK_FALSE(galera_problem({{"wsrep_reject_queries", "NONE"}}, well));
  CHECK(galera_problem({{"wsrep_reject_queries", "ALL_KILL"}}, well) ==
        "the Galera node rejects queries (wsrep_reject_queries=ALL_KILL)");
  CHECK(galera_problem({}, {{"wsrep_ready", "OFF"}, {"wsrep_cluster_status", "Disconnected"}}) ==
        "the Galera node is not ready (wsrep_ready=OFF, wsrep_cluster_status=Disconnected)");
  CHECK(galera_problem({}, {{"wsrep_ready", "ON"}, {"wsrep_cluster_status", "non-Primary"}}) ==
        "the Galera node is not in the primary component (wsrep_ready=ON, wsrep_cluster_status=non-Primary)");
}

TEST_CASE("Texts reach the server whatever its sql_mode says of quotes") {
  CHECK(mysql_literal("a'b\\") == "_utf8mb4 x'6127625c'");
}

}  // namespace probegate::checks
